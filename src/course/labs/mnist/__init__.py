"""The MNIST lab's checks. They live here, outside labs/, because they contain the answers.

`check` has a method for each step. It asks the platform through `neuro` and judges the learner's work: their Dockerfile
with `dockerfile`, their training job with `training`, their wrapper with `wrapper`, which runs `probe` in its image, an
answer with `answer` and `reference`, their secrets with `secrets`, and the deployment with `deployment`.
"""
