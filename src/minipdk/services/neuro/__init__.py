"""The Neu.ro platform, today Apolo: jobs, a storage, builds of images, and their registry, for `neuro` and `apolo`.

A request reaches a handler of `api` through `api.http`, which knows its user by the token (`tokens`). `login` gives a person
with a browser a token. `storage` has the project's files, `registry` shows the images of the cluster's store.

A job is a request (`submission`) that `jobs` keeps in the `store`. `runner` creates its Pod through the Kubernetes API
(`pods`), follows it, and copies its log (`logs`), which outlives the Pod. A job of kaniko's image is a build (`builds`),
which the process `builder` carries out with `minipdk.images`. `presets` are the resources that jobs get, `names` the names
and addresses of the platform, and `client_config` looks after the clients' own files.

The platform imports no other service: it uses the Kubernetes API as any client, and its jobs' HTTP addresses are Ingresses.
"""
