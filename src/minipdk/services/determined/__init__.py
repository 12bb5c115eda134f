"""The Determined master: experiments, trials, metrics, checkpoints and the model registry, as Determined 0.38.1 has them.

Data flows one way: ``server`` binds the port, ``routes/`` speak REST, ``master`` holds the parts together, and the modules
named after Determined's concepts hold state and rules. ``scheduler`` decides what runs, ``allocations`` runs it in a
container through ``zygote``, and ``runner`` is what happens inside.
"""

VERSION = "0.38.1"
"""The version reported to clients: they expect the master's version to equal their own."""
