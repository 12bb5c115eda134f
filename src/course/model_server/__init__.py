"""The package of the model-server lab, for any framework: one set of templates, and one module for each framework.

``python -m course.model_server pytorch DIR`` makes the package ``pytorchserver``: it trains, tests, serves and builds as the
lab's ``sklearnserver`` does, which is made of the same templates.
"""

from course.model_server.render import FRAMEWORKS, Framework, FrameworkError, render

__all__ = ["FRAMEWORKS", "Framework", "FrameworkError", "render"]
