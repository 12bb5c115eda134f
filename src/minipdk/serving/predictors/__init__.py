"""The programs that run inside a predictor's containers: the storage initializer and the model servers.

They import nothing else from minipdk, because a container has only this folder, mounted at /opt/kserve/predictors, and
whatever its image has installed.
"""
