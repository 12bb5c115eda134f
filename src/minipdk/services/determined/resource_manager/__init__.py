"""Determined's resource manager: this machine's cores and the trials that occupy them.

`scheduler` decides which trials run, `allocations` runs them, with their `ports` and their `output`, `jobs` is the queue as
clients see it, and `agents` describes the machine and its resource pools.
"""
