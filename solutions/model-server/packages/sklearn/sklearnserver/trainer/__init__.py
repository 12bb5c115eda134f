"""Make a model: `python -m sklearnserver.trainer`."""
