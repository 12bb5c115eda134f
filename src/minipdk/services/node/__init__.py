"""What a node's kubelet does: run Pods in containers and say how they are.

`node` follows the API's Pods, has the `scheduler` find room for each, and publishes their statuses. `pod` is the life of
one Pod, `container` that of one of its containers: `images` and `starting` make what it runs, `turns` says when, `process`
is one run of it, `prober` looks after that. `status` is what is told of all this.
"""
