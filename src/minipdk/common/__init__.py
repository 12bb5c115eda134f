"""Modules that every service shares.

`home` is the cluster's folder as a service sees it, `service` a service's declaration and the life of its process. `web`
serves HTTP on loopback with the guards of `origins`. `quantities`, `ports`, `processes`, `backoff`, `merge_patch` and
`protobuf` are small rules that several services need.
"""
