"""The processes of a trial.

The master's `launcher` hands a job to the `zygote`, a process that has imported torch and Determined's harness and forks for
each trial. The fork enters the trial's container and becomes the trial there (`runner`). `environment` describes the
variables, files and mounts that the trial sees.
"""
