"""KServe on one machine: what brings an InferenceService from its manifest to an answered request.

    controllers   an InferenceService becomes revisions, a revision becomes Pods; status, traffic, events
        |         (a Pod object in the Kubernetes API, as on a real cluster)
    kubelet       a Pod becomes containers: image, network, volumes, probes, restarts, an orderly end
        |         (a Backend: the loopback ports at which a Pod that is ready takes requests)
    gateway       Envoy, which sends each request by its Host or path to a service's Backends, by their shares of the traffic

`runtimes` holds the serving images and the ClusterServingRuntimes that name them; `predictors` the programs that run in
these images: model servers and the storage initializer. Rules of the road between the parts:

* A Pod says everything about itself: init containers, images, command, args, env, ports, probes, resources, volumes. The
  kubelet runs any such Pod and knows nothing of InferenceServices; the controllers start no processes.
* A Pod with ``hostNetwork: true`` shares this machine's loopback; the kubelet gives its server free ports in ``PORT`` and
  ``GRPC_PORT``, and the serving images listen there. Any other Pod has a network of its own, in which its program may bind
  what it likes, 0.0.0.0:8080 included: the kubelet passes on what arrives for its container ports. Init containers come
  before that network and reach what this machine reaches. A container port named grpc... or h2c... takes gRPC.
* What is set in the routes is in force a little later, which `Routes.in_force` waits for: a status says so only then.
* A Backend that is out of the routes gets no new requests; its Pod ends when those in flight are answered.
* State is in the Kubernetes API alone: after ``kill -9`` of this service all of it is built up again from there.
"""
