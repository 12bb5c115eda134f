"""A model server for scikit-learn: `trainer` makes the model, `inferencer` answers requests with it."""
