"""The experiment configuration: its settings, their defaults, and the faults that a client is shown.

`documents` reads its text, `settings` declares every setting, `hyperparameters` the search space and the searchers that draw
from it, `names` has names for experiments without one, and `faults` words the refusals.
"""

from minipdk.services.determined.config.documents import parse_yaml
from minipdk.services.determined.config.settings import ECHOED, ExperimentConfig, complete, with_overrides

__all__ = ["ECHOED", "ExperimentConfig", "complete", "parse_yaml", "with_overrides"]
