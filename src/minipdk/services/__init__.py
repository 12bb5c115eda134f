"""The emulated systems, one folder each, all of the same inner shape (docs/architecture.md). They never import each other.

`minipdk.cluster.services` lists them.
"""
