"""The images that stand for the vendors' images in a SeldonDeployment of `neuro-extras seldon`, each for any tag.

`minipdk image pull` builds them, or the node does on first use: Seldon's Python wrapper with the scripts of its
source-to-image builder, on which a model's image is built, and the platform's command lines, which fetch a model.
"""

from __future__ import annotations

from pathlib import Path

from minipdk.common.service import ImageSource

FOLDER = Path(__file__).parent

IMAGES = {
    "seldonio/seldon-core-s2i-python3:1.17.1": ImageSource(
        FOLDER / "s2i-python3", FOLDER / "s2i-python3" / "Dockerfile", any_tag=True
    ),
    "ghcr.io/neuro-inc/apolo-extras:24.10.0": ImageSource(
        FOLDER / "apolo-extras", FOLDER / "apolo-extras" / "Dockerfile", any_tag=True
    ),
}
