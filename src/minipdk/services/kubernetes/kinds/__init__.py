"""The kinds: fields, defaults, rules and columns of each, and the `table` that lists them.

A new kind is one module in `builtin` or `custom`, which ends with the kind's `Resource`, and one row in `table`. From the
row follow its paths, discovery, OpenAPI, validation, CustomResourceDefinition, field selectors and `kubectl get`:

* ``model`` names the vendor's class of which `schemas` reads the fields, if the vendor's Python client has one;
* ``strategy`` has the functions for its defaults, rules, admission and first status;
* ``columns`` are for `kubectl get`, made with the functions of `columns`;
* `validation` has rules for single values (names, labels, ports), worded as Kubernetes words them.

Only two things are elsewhere: the merge keys of its lists (`registry.patches`), and the fields of its protobuf message
(`api.protobuf`) if kubectl sends the kind so.
"""
