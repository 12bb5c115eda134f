"""Local images, built from ordinary Dockerfiles without Docker.

An image is a stack of layers (folders laid over the host's system folders and Python environment by overlayfs) and a
configuration. ``FROM`` names a local image or a known base (python:3.x, pytorch/pytorch, determinedai/environments, ...),
which stands for the host's own Python environment and has no layers. What ``RUN`` and ``COPY`` change is captured in a
new layer: ``RUN pip install`` therefore adds to the environment the course already has, and installs nothing that is
there at the right version.

Every instruction of Docker's reference is understood. Refused, with the file and line: ADD of a URL or a git repository,
ONBUILD, FROM scratch, another platform, and flags other than ``--from``, ``--chown``, ``--chmod``, ``--link``,
``--platform`` and ``RUN --mount=type=cache``. HEALTHCHECK has no effect, as on Kubernetes. Files belong to the user who runs
the container, so ``--chown`` and ``chown`` succeed and change nothing. ``RUN apt-get install`` works if the host is Debian
or Ubuntu.

A build reads the Dockerfile (`dockerfile`, `stages`), carries out each instruction (`build`; `settings` for instructions
that only configure the image) on the files of its `context`, and makes a layer of each step (`layers`, whose `copier` runs
inside the container). `store` keeps the images. `run` and `run_options` are ``minipdk image run``.

The interface that services use::

    store = ImageStore(home)
    image = store.resolve("pdk-churn-train:1.0")   # ImageNotFoundError names the image and how to build it
    store.build(Path("containers/train"), "pdk-churn-train:1.0", progress=print)
    store.list()
"""

from __future__ import annotations

from minipdk.images.image import Image, ImageConfig
from minipdk.images.store import ImageStore, StoredImage

__all__ = ["Image", "ImageConfig", "ImageStore", "StoredImage"]
