"""The fields of a SeldonDeployment, of which no Python client has models.

Reference: https://docs.seldon.io/projects/seldon-core/en/v1.17.1/reference/seldon-deployment.html
"""

from __future__ import annotations

Fields = dict[str, tuple[str, str]]
"""The fields of an object: the type of each, as in the vendors' models, and its description."""

MODELS: dict[str, Fields] = {
    "SeldonDeployment": {
        "apiVersion": ("str", "The version of the schema."),
        "kind": ("str", "The kind of the object."),
        "metadata": ("V1ObjectMeta", "The object's metadata."),
        "spec": ("SeldonDeploymentSpec", "The predictors and their settings."),
        "status": ("object", "The state, written by the operator."),
    },
    "SeldonDeploymentSpec": {
        "name": ("str", "No longer used."),
        "predictors": ("list[SeldonPredictor]", "The predictors, which share the requests by their traffic."),
        "oauth_key": ("str", "No longer used."),
        "oauth_secret": ("str", "No longer used."),
        "annotations": ("dict(str, str)", "Annotations of all pods."),
        "protocol": ("str", "The protocol of the requests: seldon, tensorflow or v2."),
        "transport": ("str", "The transport of the requests: rest or grpc."),
        "replicas": ("int", "The pods of each predictor that does not say otherwise."),
        "serverType": ("str", "How requests arrive: rpc or kafka."),
    },
    "SeldonPredictor": {
        "name": ("str", "The predictor's name."),
        "graph": ("SeldonPredictiveUnit", "The graph of models that answers a request."),
        "componentSpecs": ("list[SeldonPodSpec]", "The pods of the graph's containers."),
        "replicas": ("int", "The number of pods."),
        "annotations": ("dict(str, str)", "Annotations of the pods and services."),
        "engineResources": ("V1ResourceRequirements", "The resources of the executor."),
        "labels": ("dict(str, str)", "Labels of the pods."),
        "svcOrchSpec": ("SeldonOrchestrator", "The executor's settings."),
        "traffic": ("int", "The share of the requests in percent."),
        "explainer": ("object", "A server that explains predictions."),
        "shadow": ("bool", "Whether it gets copies of requests and its answers are dropped."),
        "ssl": ("SeldonTls", "The certificate of the servers."),
        "progressDeadlineSeconds": ("int", "The seconds after which a deployment without progress has failed."),
    },
    "SeldonPredictiveUnit": {
        "name": ("str", "The name of the node, and of the container that implements it."),
        "children": ("list[SeldonPredictiveUnit]", "The nodes that get its output."),
        "type": ("str", "MODEL, ROUTER, COMBINER, TRANSFORMER or OUTPUT_TRANSFORMER."),
        "implementation": ("str", "A server that Seldon brings, such as SKLEARN_SERVER."),
        "methods": ("list[str]", "The methods that the node implements."),
        "endpoint": ("SeldonEndpoint", "How the node is called."),
        "parameters": ("list[SeldonParameter]", "Arguments of the model's constructor."),
        "modelUri": ("str", "The place of the model's files."),
        "serviceAccountName": ("str", "The account with the credentials for that place."),
        "envSecretRefName": ("str", "The Secret with the credentials for that place."),
        "storageInitializerImage": ("str", "The image that fetches the files."),
        "logger": ("SeldonLogger", "Where requests and answers are recorded."),
    },
    "SeldonEndpoint": {
        "service_host": ("str", "Set by the operator."),
        "service_port": ("int", "Set by the operator."),
        "type": ("str", "REST or GRPC."),
        "httpPort": ("int", "Set by the operator."),
        "grpcPort": ("int", "Set by the operator."),
    },
    "SeldonParameter": {
        "name": ("str", "The argument's name."),
        "value": ("str", "Its value."),
        "type": ("str", "Its type: INT, FLOAT, DOUBLE, STRING or BOOL."),
    },
    "SeldonPodSpec": {
        "metadata": ("V1ObjectMeta", "The name, labels and annotations of the pods."),
        "spec": ("V1PodSpec", "The pods."),
        "hpaSpec": ("object", "A HorizontalPodAutoscaler."),
        "replicas": ("int", "The number of pods."),
        "kedaSpec": ("object", "A ScaledObject of KEDA."),
        "pdbSpec": ("object", "A PodDisruptionBudget."),
    },
    "SeldonOrchestrator": {
        "resources": ("V1ResourceRequirements", "The executor's resources."),
        "env": ("list[V1EnvVar]", "The executor's variables."),
        "replicas": ("int", "The executors, if they have separate pods."),
    },
    "SeldonLogger": {
        "url": ("str", "Where records are sent."),
        "mode": ("str", "request, response or all."),
    },
    "SeldonTls": {"certSecretName": ("str", "The Secret with the certificate.")},
}
"""The models by name. The names of the vendor's Go types are not unique among all kinds, so these differ."""
REQUIRED = {
    "SeldonDeploymentSpec": {"predictors"},
    "SeldonPredictor": {"name", "graph"},
    "SeldonPredictiveUnit": {"name"},
    "SeldonParameter": {"name", "value", "type"},
}
"""The fields that each model must have."""
