"""Modules that every service shares.

`home` is the cluster's folder as a service sees it. `service` is what a service declares about itself and how its process
runs. `web` serves HTTP on loopback with the guards of `origins`. `quantities`, `ports`, `backoff`, `merge_patch` and
`protobuf` are small rules that several services need.
"""
