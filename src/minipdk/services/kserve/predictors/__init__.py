"""The programs that run inside a predictor's containers: the storage initializer and the model servers.

They import nothing else from minipdk: an image has only what its Dockerfile below `minipdk.services.kserve.runtimes` copies.
"""
