"""The model-server lab's checks. They live here, outside labs/, because they contain the answers.

`check` has a method for each step. It runs the learner's package through `probe`, checks their manifest with `manifest`,
finds names from KServe's past with `old_names`, and reads the deployed service through `inference_service`.
"""
