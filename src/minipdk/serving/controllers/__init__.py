"""What turns InferenceServices into running predictors, as KServe's controllers and Knative's revisions do.

`predictor` reads a spec, `credentials` finds its storage secret, `pods` writes the Pod of a revision, `status` says how it
stands, and `inferenceservice` does these for every change; `minipdk.serving.kubelet` runs the Pods.
"""
