"""What turns InferenceServices into running predictors, as KServe's controllers, its webhooks and Knative do together.

`inferenceservice` looks at a service whenever something about it has changed. `predictor` reads its spec (`fields` says
which fields there are) into a revision's template, with the container of a `servingruntime` overlaid by the model's
(`container`). `rollout` makes the Revision (`revisions`) and its Pods (`pods`), whose model `storage` provides with
`credentials`. `traffic` says which revisions share the requests, `status` how the service stands. The Pods are run by
`minipdk.services.node`.
"""
