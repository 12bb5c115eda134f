"""The experiment configuration: its settings, their defaults, and the faults that a client is shown.

`experiment` declares every setting, `hyperparameters` the search space and the searchers that draw from it, `faults` words
the refusals.
"""
