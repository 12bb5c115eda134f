"""The node: a kubelet that runs Pods in containers and publishes their statuses.

`node` follows the API's Pods, has the `scheduler` find room for each, publishes statuses, and keeps the Node object current
(`registration`). A `pod` runs its init containers, then its containers in a private network or at this machine's `ports`.

A `container` gets its image from `images` and its sandbox's `specification`: variables from `environment`, mounts from
`volumes`, limits from `resources`. `startup` limits how many start at the same time. A `process` is one run of a container,
with its `logs`, followed by `probes`. `status` is a Pod's status as the API shows it.
"""
