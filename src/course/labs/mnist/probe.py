"""In the wrapper's image, beside the learner's files: make the model as Seldon does, ask it, print its behaviour as JSON.

    python probe.py PICTURE DIGITS

PICTURE is a file with a digit, DIGITS a folder of files in MNIST's format. It imports only packages of that image.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

SEEN = "seen: "
ASKED = 100
"""How many digits of the test set a model without `transform` is asked about."""

TOLERANCE = 1e-4


def main() -> None:
    sys.path.insert(0, str(Path.cwd()))
    print(f"\n{SEEN}{json.dumps(observe(Path(sys.argv[1]), Path(sys.argv[2])))}")  # noqa: T201


def observe(picture: Path, digits: Path) -> dict[str, Any]:
    """The learner's answers to a picture and to digits, and the answers of their network with and without `transform`."""
    import main as learner
    import numpy as np
    import seldon_model
    import torch
    from PIL import Image

    model = seldon_model.seldon_model()
    data = picture.read_bytes()
    first, second = model.predict(data, []), model.predict(data, [])
    seen: dict[str, Any] = {"type": type(first).__name__, "shape": list(getattr(first, "shape", []))}
    if not isinstance(first, np.ndarray) or first.shape != (1, 10):
        return seen
    network = learner.Net()
    network.load_state_dict(torch.load("/storage/model.pkl", map_location="cpu"))
    network.eval()
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    with torch.no_grad():
        reference = network(learner.transform(pixels)[None]).numpy()
        raw = network(torch.from_numpy(pixels.astype(np.float32) / 255)[None, None]).numpy()
    seen |= {
        "answer": first[0].tolist(),
        "same": bool(np.allclose(first, second, atol=TOLERANCE)),
        "right": bool(np.allclose(first, reference, atol=TOLERANCE)),
        "raw": bool(np.allclose(first, raw, atol=TOLERANCE)),
    }
    if seen["raw"] and not seen["right"]:
        images = learner.read_idx(digits / "t10k-images-idx3-ubyte")[:ASKED]
        labels = learner.read_idx(digits / "t10k-labels-idx1-ubyte")[:ASKED]
        answers = np.stack([model.predict(_encoded(image), [])[0] for image in images])
        with torch.no_grad():
            expected = network(learner.transform(images)).numpy()
        seen |= {
            "accuracy": float((answers.argmax(axis=1) == labels).mean()),
            "likelihood": float(answers[np.arange(len(labels)), labels].mean()),
            "expected_likelihood": float(expected[np.arange(len(labels)), labels].mean()),
        }
    return seen


def _encoded(pixels: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


if __name__ == "__main__":
    main()
