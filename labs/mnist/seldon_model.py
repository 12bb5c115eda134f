"""The model behind Seldon's server: the bytes of a picture in, the log-likelihoods of the ten digits out."""

import io

import numpy as np
import torch
from PIL import Image

# Your turn: import the network `Net` and the function `transform` from main.py, which is beside this file in the image.
raise NotImplementedError("your turn: see the comment above this line")


class SeldonModel:
    def __init__(self):
        # Your turn: make a `Net`, give it the weights of /storage/model.pkl, and switch it from training to inference:
        # torch.load(..., map_location="cpu"), load_state_dict, eval. Keep it as self._model.
        raise NotImplementedError("your turn: see the comment above this line")

    def predict(self, X, features_names):
        pixels = np.asarray(Image.open(io.BytesIO(X)))
        # Your turn: return the network's output for a batch of this one picture, as an array of NumPy.
        raise NotImplementedError("your turn: see the comment above this line")


# Seldon looks for a class with the name of this module.
seldon_model = SeldonModel
