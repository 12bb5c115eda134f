"""Answer requests with a model: `python -m sklearnserver.inferencer`."""
