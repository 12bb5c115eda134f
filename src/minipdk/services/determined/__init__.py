"""The Determined master: experiments, trials, metrics, checkpoints and the model registry, as Determined 0.38.1 has them.

The parts:

* ``service`` declares Determined to the cluster; ``server`` binds the port; ``master`` puts the parts together.
* ``api`` is the REST API, a module for each noun. ``messages`` turns records into Determined's JSON, and ``errors`` lists
  the ways in which a call can fail.
* The concepts contain the rules, under Determined's names: ``users``, ``workspaces``, ``submissions``, ``experiments``,
  ``trials``, ``metrics``, ``checkpoints``, ``logs``, ``registry``, and in ``resource_manager`` the scheduler, the job queue
  and the allocations. ``config`` is the experiment configuration, ``model_definition`` the files submitted with it, and
  ``checkpoint_storage`` the files of checkpoints.
* ``store`` contains all SQL and returns the records of ``model``.
* ``trial`` contains the processes in which a trial runs.

The way of a request: ``api.http`` finds the handler for the method and path, checks the types of the body's fields and
authenticates the caller. The handler parses the request and calls the concepts that it names as parameters. A concept
checks the rules, reads and writes through the store, and returns records; changes that belong together are made in one
``store.transaction()``. The handler returns the messages of these records. A refusal is a `errors.MasterError`, raised
anywhere and answered by ``api.http``. Requests that wait (log streams, the preemption poll) subscribe to
``store.changes``, which wakes them after the commit of a change.

So a new endpoint is a function and its line in ``ENDPOINTS`` in ``api``, a rule in a concept and a query in ``store``. A new
noun is a dataclass in ``model``, a table in a new migration of ``store.schema``, a class of queries in ``store``, a concept
that ``master`` adds to its parts, and a function in ``messages``.

The way of a trial: the scheduler starts a waiting trial on free slots through ``resource_manager.allocations``, which hands
the job to the zygote (``trial.launcher``), stores its output, and records its end by the rules of ``trials`` and
``experiments``.
"""

VERSION = "0.38.1"
"""The version reported to clients: they expect the master's version to equal their own."""
