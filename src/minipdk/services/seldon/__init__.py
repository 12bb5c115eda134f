"""Seldon Core 1 as a controller: it follows SeldonDeployments, and makes the objects that Seldon's operator makes for them.

The way of a SeldonDeployment:

* The API server's admission stands for Seldon's webhook.
* `seldondeployment`, the controller, reconciles one at a time, whenever it or one of its objects has changed.
* `specification` reads it, and refuses unsupported fields by name.
* `components` turns it into a Deployment and Services for each predictor, with the operator's ports, variables, probes,
  names and labels.
* `deployment_controller` makes and replaces the Deployments' Pods, which Kubernetes' own controllers do on a cluster;
  `deployment_status` is the status of these.
* `status` is the SeldonDeployment's status, as the operator writes it.
* The ingress sends requests below ``/seldon/<namespace>/<name>/`` to the Pods that are ready.

Without the operator's executor, requests reach the model's own server, as with Seldon's annotation ``seldon.io/no-engine``.
`runtimes` has the images that stand for Seldon's wrapper and for the platform's clients.
Rules: https://docs.seldon.io/projects/seldon-core/en/v1.17.1/reference/seldon-deployment.html
"""
