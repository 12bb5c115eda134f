"""Determined's resource manager: which trials run on this machine's cores (`scheduler`), and their runs (`allocations`)."""
