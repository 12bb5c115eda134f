"""minipdk: Pachyderm, Determined and KServe as a few local processes that speak the vendors' own protocols."""

__version__ = "1.1.0"
