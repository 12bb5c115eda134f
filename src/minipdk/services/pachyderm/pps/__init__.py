"""PPS: pipelines, jobs, datums, their logs, and secrets.

`system.Pps` puts the parts together; Pachyderm's ``server.py`` starts it and serves `api.servicer.PpsServicer`::

    pps = Pps(home, pfs)
    pps.start()                   # open jobs go on, also jobs that a killed pachd left behind
    servicer = PpsServicer(pps)   # answers the calls of pps_v2.API, see `minipdk.services.pachyderm.rpc`
    pps.stop()

The way of a pipeline: ``api.pipelines`` reads the call, ``spec`` merges the spec with the ``defaults`` and checks it, and
``pipelines`` stores a version and makes its repos and ``branches``.

The way of a commit: a commit on an input makes, in its own transaction, an output commit and a job (``jobs``). The
``scheduler`` wakes, waits until the inputs are finished and has the ``worker`` package run the job: ``datums`` enumerates
the datums, each runs in a container, and the job ends in one transaction with its output commit. A service's job goes on
until the next one, a spout has no job; ``crons`` commits the ticks of cron inputs.

``model`` has the nouns, ``messages`` their conversions, ``store`` all SQL, ``logs`` the lines of user code, ``kube_secrets``
the secrets, and ``errors`` the ways to fail.
"""
