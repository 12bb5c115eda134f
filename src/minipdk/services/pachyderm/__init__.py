"""Pachyderm: versioned data (PFS), data-driven pipelines (PPS) and an S3 gateway, over pachd's own protocols.

``server`` is the entry point: one process binds a port for gRPC and a port for S3. ``service`` declares both to the cluster.

- ``wire`` makes the protocol's messages and calls from the vendor's SDK, and has their types.
- ``rpc`` serves them: it checks the token (``callers`` knows the tokens of pipelines), passes each call to the servicer with
  a method for it, and turns the exceptions of ``errors`` into statuses.
- ``pfs`` has projects, repos, branches, commits and files; ``pps`` has pipelines, jobs, datums, logs and secrets; ``s3``
  shows PFS to S3 clients. Each has its own page.
- ``api`` has the other gRPC services: administration, users, metadata, transactions. Their rules are in ``metadata`` and
  ``transactions``, their SQL is in ``store``.
- ``schema`` has the tables of the one database and their migrations; ``cron`` parses cron expressions.

The way of a call, such as PutFile: ``rpc`` authenticates it and parses its messages; ``api.transactions`` passes it on, or
queues it if the client has named a transaction; the servicer in ``pfs.api`` or ``pps.api`` reads the request, calls the
rules within a PFS transaction, and answers. When the transaction commits, the hooks of PPS have made the jobs of its new
commits, and PPS's scheduler wakes.
"""
