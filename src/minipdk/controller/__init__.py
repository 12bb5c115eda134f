"""The parts that all controllers are built from. A controller has no protocol and no store: its state is the Kubernetes API.

`objects` are the API's objects as data, `api` sends requests to the API server and repeats them, `informer` follows objects,
`queue` has the objects to reconcile and their growing pauses, `events` records what `kubectl describe` shows, as far as
`correlation` lets it, and `errors` are the API's refusals. Controllers of one process share a
`workspace`: the node runs Pods there, other controllers follow them (`pods`), and `routes` is the table from which the
ingress sends requests to them. The rules between the parts:

* A Pod's spec says everything: init containers, images, command, args, env, ports, probes, resources, volumes. The node runs
  any such Pod and knows nothing of InferenceServices; other controllers start no processes.
* A Pod with ``hostNetwork: true`` shares this machine's loopback; the node gives its server free ports in ``PORT`` and
  ``GRPC_PORT``, and the serving images listen there. Any other Pod has a private network, in which its program may bind
  any address, 0.0.0.0:8080 included: the node forwards connections to its container ports. Init containers run before
  that network exists and reach the same addresses as this machine. A container port named grpc... or h2c... takes gRPC.
* A change of the routes is in force a little later, which `Routes.in_force` waits for: a status reports it only then.
* A Backend that has left the routes gets no new requests; its Pod ends when the requests in flight are answered.
* After ``kill -9`` of the process everything is rebuilt from the Kubernetes API.

A new controller is one line in `minipdk.cluster.services` and a folder below `minipdk.services`: ``service.py`` declares
``process=CONTROLLERS``, ``server.py`` has ``running(workspace)``, a context within which it works; the rest are concepts.
"""
