"""The labs: their index, the generator of labs/, and one package for each lab with the checks that its notebook imports.

`index` reads labs.toml; `generator` makes labs/ from solutions/; `readme` writes the README's table of labs. A lab's package
holds everything that would give answers away beside the learner's notebook.

``python -m course.labs`` generates labs/ and the table; ``python -m course.labs images`` and ``solutions`` print the image
list and the labs with a solution to run, for the Makefile.
"""

from course.labs.index import Image, Index, Lab, LabError, load

__all__ = ["Image", "Index", "Lab", "LabError", "load"]
