"""Kubernetes' built-in kinds, one module for kinds that belong together. `containers` and `probes` are parts of `pods`."""
