"""What a node's kubelet does: run the predictors' Pods in containers and say how they are.

`pod` runs one Pod (its init container, then its server, again after a crash), `status` is what it tells of them,
`process` one run of one container; `node` follows the API's Pods and publishes their statuses.
"""
