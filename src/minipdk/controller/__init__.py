"""What every controller is built on. A controller has no protocol and no store: its state is in the Kubernetes API.

`api` speaks to the API server and follows its objects (`Informer`), `events` records what `kubectl describe` shows, `errors`
are the API's refusals. Controllers of one process share a `Workspace` (`workspace`): the node runs Pods there, others follow
them (`pods`), and `routes` is the table from which the ingress sends requests to them. The rules between the parts:

* A Pod says everything about itself: init containers, images, command, args, env, ports, probes, resources, volumes. The
  node runs any such Pod and knows nothing of InferenceServices; other controllers start no processes.
* A Pod with ``hostNetwork: true`` shares this machine's loopback; the node gives its server free ports in ``PORT`` and
  ``GRPC_PORT``, and the serving images listen there. Any other Pod has a private network, in which its program may bind
  any address, 0.0.0.0:8080 included: the node forwards what arrives for its container ports. Init containers run before
  that network exists and reach what this machine reaches. A container port named grpc... or h2c... takes gRPC.
* A change of the routes is in force a little later, which `Routes.in_force` waits for: a status reports it only then.
* A Backend that has left the routes gets no new requests; its Pod ends when the requests in flight are answered.
* After ``kill -9`` of the process everything is rebuilt from the Kubernetes API.
"""
