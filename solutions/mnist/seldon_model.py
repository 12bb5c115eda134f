"""The model behind Seldon's server: the bytes of a picture in, the log-likelihoods of the ten digits out."""

import io

import numpy as np
import torch
from PIL import Image

# Your turn: import the network `Net` and the function `transform` from main.py, which is beside this file in the image.
# <solution>
from main import Net, transform

# </solution>


class SeldonModel:
    def __init__(self):
        # Your turn: make a `Net`, give it the weights of /storage/model.pkl, and switch it from training to inference:
        # torch.load(..., map_location="cpu"), load_state_dict, eval. Keep it as self._model.
        # <solution>
        self._model = Net()
        self._model.load_state_dict(torch.load("/storage/model.pkl", map_location=torch.device("cpu")))
        self._model.eval()
        # </solution>

    def predict(self, X, features_names):
        pixels = np.asarray(Image.open(io.BytesIO(X)))
        # Your turn: return the network's output for a batch of this one picture, as an array of NumPy.
        # <solution>
        return self._model(transform(pixels)[None, ...]).detach().numpy()
        # </solution>


# Seldon looks for a class with the name of this module.
seldon_model = SeldonModel
