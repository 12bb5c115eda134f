FROM pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime

# Your turn: set the variable MODEL_PATH to /var/storage/model.pkl, where the storage will be mounted.
# ...

# Your turn: copy main.py, and the folder data with the digits, to the working directory.
# ...

# Your turn: the program of the job. It runs main.py, which saves mnist_cnn.pt, then moves this file to $MODEL_PATH.
# ...
