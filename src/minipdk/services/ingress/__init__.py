"""The ingress: Envoy, the data plane of Istio, which sends each request to a Pod of the service that its Host or path names.

The controllers keep the table `minipdk.controller.routes`. `gateway` publishes it as Envoy's configuration (`config`) and
knows when it is in force. Envoy starts with `bootstrap`: its listener, its own `replies`, and the check of `origins`.
`envoy` keeps the process running, `admin` queries it, and `counts` reads the numbers of requests and answers.
"""
