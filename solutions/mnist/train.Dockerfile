FROM pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime

# Your turn: set the variable MODEL_PATH to /var/storage/model.pkl, where the storage will be mounted.
# <solution>
ENV MODEL_PATH=/var/storage/model.pkl
# </solution>

# Your turn: copy main.py, and the folder data with the digits, to the working directory.
# <solution>
COPY main.py .
COPY data data
# </solution>

# Your turn: the program of the job. It runs main.py, which saves mnist_cnn.pt, then moves this file to $MODEL_PATH.
# <solution>
CMD bash -c "python main.py --save-model && mv mnist_cnn.pt $MODEL_PATH"
# </solution>
