"""The Kubernetes API: an API server that keeps objects, tells watchers of every change, and speaks to real clients.

A request's way, each step a module: `server` (https), `app` (routes, authentication), `requests` (what the path and the
query ask), `decoding` and `bodies` (what the body says), `registry` (the verbs), `admission` (what must be there first),
`schemas` and `strategies` (what a kind is like; a pod's `containers`, their `probes` and `amounts`), `store` (SQLite and
watches), `tables` and `columns` (what `kubectl get` prints). `documents` are the answers that need nothing stored. The
kinds are rows of one table in `kinds`.
"""
