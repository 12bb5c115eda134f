"""The Neu.ro platform, today Apolo: jobs, a storage, builds of images, and their registry, for `neuro` and `apolo`.

A request reaches a handler of `api` through `api.http`, which knows its user by the token (`tokens`). `login` gives a person
with a browser a token. `storage` has the project's files, `registry` shows the images of the cluster's store.

`jobs` runs a job as a Pod and a build with the cluster's image builder, and keeps their logs; `store` has their histories.
`names` are the names and addresses of the platform, `platform` puts the parts together, and `client_config` looks after the
clients' own files.

The platform imports no other service: it uses the Kubernetes API as any client, and its jobs' HTTP addresses are Ingresses.
"""
