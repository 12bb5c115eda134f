"""The churn network in kserve's ModelServer as barely as can be: 139 numbers in, no preprocessing, no checks.

python -m tests.benchmarks._bare_model scriptmodule.pt --http_port=8080
"""

from __future__ import annotations

import sys
from typing import Any

NUMBERS = 139


def numbers(rows: int) -> dict[str, Any]:
    """A request's body with ``rows`` rows of prepared numbers."""
    return {"instances": [[index / NUMBERS - 0.5 for index in range(NUMBERS)]] * rows}


def main() -> None:
    import kserve
    import torch

    class Bare(kserve.Model):
        def __init__(self) -> None:
            super().__init__("bare")
            self.network = torch.jit.load(sys.argv[1]).eval()
            self.ready = True

        async def predict(self, payload: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
            with torch.inference_mode():
                return {"predictions": (self.network(torch.tensor(payload["instances"])) >= 0.5).float().tolist()}

    kserve.ModelServer(enable_latency_logging=False).start([Bare()])


if __name__ == "__main__":
    main()
