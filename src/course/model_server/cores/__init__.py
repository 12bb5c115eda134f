"""One module for each framework: everything that the lab's package needs to know about it.

Each is copied into its package as ``trainer/_core.py``, so it imports nothing of the course. It has

* ``MODEL_FILE``, the name of a saved model's file,
* ``build(features, classes)``, an untrained model,
* ``fit(model, x, y)``, with x of shape (n, features) in float64 and y of shape (n,) with the classes' numbers,
* ``probabilities(model, x)``, of shape (n, classes),
* ``save(model, columns, path)`` and ``load(path)``, which returns both. It raises ValueError for any other file.
"""
