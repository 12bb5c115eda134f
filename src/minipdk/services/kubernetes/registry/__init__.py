"""The registry: the verbs, and the rules for the objects of every kind.

`registry` has the verbs. A new or changed object passes, in this order: `bodies` (is the body an object of its kind, and the
one that is stored?), `patches` or `managed_fields` (server-side apply) if it is a patch, its kind's defaults, `admission`,
`metadata` and its kind's rules; then the store commits it. `deletion` removes objects and their dependents, `volumes` makes
and removes the folders of claims. `watches` reads lists and changes through `selectors`.
"""
