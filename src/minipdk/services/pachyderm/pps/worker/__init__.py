"""Running user code: a job, a service or a spout, and the containers of its datums.

The scheduler makes a `plans.Plan` and starts a `job_run`, `service_run` or `spout_run`. A job runs each datum as a
`datum_run`, or as one of `batching`, which lays out the datum's /pfs and starts `user_code` with its `environment`.
"""
