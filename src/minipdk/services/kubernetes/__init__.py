"""The Kubernetes API: an API server that stores objects, sends every change to its watchers, and serves real clients.

The way of a request:

1. `server` has the https port; `service` and `certificates` give clients its address, its CA and their token.
2. `api` is the protocol. `api.app` routes and authenticates; `api.requests` reads the target from the path, `api.options`
   the query, `api.decoding` the body. It knows no rules and no SQL.
3. `registry` has the verbs and the rules for every object: server-side apply, patches, admission, metadata, deletion,
   watches.
4. `kinds` has the kinds: fields, defaults, rules and columns of each.
5. `store` keeps the objects and the log of changes in SQLite.
6. `messages` makes the answer: a Status, objects, a Table or metadata alone.

`model` has the nouns that all of them use, `errors` every way in which a request can fail, `bootstrap` the objects that
every cluster and namespace has from the start.

**A new kind is one module in `kinds.builtin` or `kinds.custom` and one row in `kinds.table`**; `kinds` describes the module.
"""
