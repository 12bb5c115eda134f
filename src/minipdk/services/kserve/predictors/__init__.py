"""The programs that run inside a predictor's containers: the storage initializer and the model servers.

They import nothing else from minipdk, and each other relatively: a Dockerfile of `minipdk.services.kserve.runtimes` copies
this folder alone to an image, as the package ``predictors``.

`storage_initializer` fetches a model, which `unpacking` may have to unpack. `sklearnserver`, `onnxserver` and `torchserve`
(with `model_archive`) each load a model and serve it by `model_server`, which has the parts `asgi`, `calls` and `tensors`;
`workers` makes several processes of one server. `errors` lists the ways to fail.
"""
