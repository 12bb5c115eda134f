"""KServe: it turns InferenceServices into running predictors, like KServe's controllers, its webhooks and Knative together.

`inferenceservice` reconciles a service whenever the service, one of its Pods or a runtime has changed. `predictor` reads its
spec into a revision's template, with the container of a `servingruntime` overlaid by the model's (`container`). `rollout`
creates the Revision (`revisions`) and its Pods (`pods`), to which `storage` adds the model, with `credentials`. `traffic`
shares the requests among revisions, `hosts` names the service for the ingress, `status` computes its status.

The node runs the Pods. `runtimes` has the manifests and images of the model servers, `predictors` the programs in them.
"""
