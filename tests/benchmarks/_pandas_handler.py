"""A churn handler as first versions are written: a DataFrame for each request, dummies, and a column at a time.

It is packed into an archive by the benchmark, in place of the course's handler.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from preprocessing import CATEGORIES, LABEL
from ts.torch_handler.base_handler import BaseHandler


class PandasHandler(BaseHandler):
    """Scales each numeric column, then makes dummies of each categorical one and puts them into the network's order."""

    def initialize(self, context: Any) -> None:
        super().initialize(context)
        self.scale = json.loads((Path(context.system_properties["model_dir"]) / "numscale.json").read_text())
        self.dummies = [f"{name}_{value}" for name, values in CATEGORIES.items() for value in values]

    def preprocess(self, data: list[dict[str, Any]]) -> torch.Tensor:
        return torch.cat([self.features(pd.DataFrame(instance["data"])) for instance in data])

    def features(self, frame: pd.DataFrame) -> torch.Tensor:
        frame = frame.drop(columns=LABEL, errors="ignore").fillna(0)
        for name, scale in self.scale.items():
            frame[name] = (frame[name] - scale["mean"]) / scale["std"]
        for name, values in CATEGORIES.items():
            frame[name] = pd.Categorical(frame[name], categories=list(values))
        frame = pd.get_dummies(frame, columns=list(CATEGORIES), dtype=float)
        return torch.tensor(frame[[*self.scale, *self.dummies]].to_numpy(), dtype=torch.float32)

    def postprocess(self, data: torch.Tensor) -> list[Any]:
        return list((data >= 0.5).float().tolist())
