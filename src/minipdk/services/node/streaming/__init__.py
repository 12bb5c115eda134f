"""The kubelet's streaming server: `kubectl exec`, `attach`, `cp` and `port-forward`.

The API server passes such a request on to the node, through a Unix socket that only the cluster's owner can open. `server`
answers it. The connection then leaves HTTP (`upgrade`) for SPDY/3.1 or WebSocket, which carry several streams of bytes:

1. `streams` has the interface of a stream, and the buffer between a connection and the stream's reader.
2. `spdy` has the streams of SPDY/3.1, `websocket` the messages of a WebSocket, and `channels` the streams that Kubernetes
   numbers in such messages.
3. `remote_command` joins the streams of `exec` and `attach` to a program in a container (`commands`), and `port_forward`
   those of `port-forward` to a port of the Pod. `broadcast` sends a container's output to attached clients.

https://kubernetes.io/docs/concepts/architecture/control-plane-node-communication/#apiserver-to-kubelet
"""
