"""``pachctl`` in Python: the 2.x command line on `pachyderm_sdk` alone, so it works on any Pachyderm 2.x cluster.

How a call runs: `cli.main` rewrites 1.7 hyphen forms (`legacy`), typer finds the verb and the object in `commands`, and the
command connects (`client`, `config`), calls the SDK and prints (`output`). Every failure is one line on stderr and exit
status 1.
"""
