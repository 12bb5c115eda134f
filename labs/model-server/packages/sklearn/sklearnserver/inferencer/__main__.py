"""`python -m sklearnserver.inferencer`: KServe's model server with the model, or the models, in a folder.

A folder of folders with models is a repository of models, each named after its folder. Any other folder holds one model,
named by `--model_name`. All options of KServe's server work; `run_sklearnserver` passes the values of the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from kserve import ModelServer, model_server

from sklearnserver.inferencer.model import SKLearnServingModel
from sklearnserver.inferencer.model_repository import SKLearnModelRepository

EVERYWHERE = "0.0.0.0"  # inside a container, which has its own ports

parser = argparse.ArgumentParser(
    prog="sklearnserver.inferencer",
    description=__doc__,
    parents=[model_server.parser],
    formatter_class=argparse.RawDescriptionHelpFormatter,
)
parser.add_argument("--model_dir", default="/mnt/models", help="a folder, or the address of a storage")
parser.add_argument("--host", default="127.0.0.1", help=f"where to listen for HTTP; gRPC needs {EVERYWHERE}")


def main() -> None:
    """Load, then serve until SIGTERM. Exits with a sentence if there is nothing to serve."""
    arguments = parser.parse_args()
    repository = SKLearnModelRepository(arguments.model_dir)
    try:
        if "://" not in arguments.model_dir and not Path(arguments.model_dir).is_dir():
            raise FileNotFoundError(f"there is no folder {arguments.model_dir}")
        if repository.names():
            repository.load_models()
        else:
            model = SKLearnServingModel(arguments.model_name, arguments.model_dir)
            model.load()
            repository.update(model)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"sklearnserver: {error}")
    asyncio.set_event_loop(asyncio.new_event_loop())
    everywhere = arguments.host == EVERYWHERE
    server = ModelServer(registered_models=repository, enable_grpc=arguments.enable_grpc and everywhere)
    # KServe offers no option for this: it would listen on every interface, and its gRPC server always does.
    server._rest_server._server.config.host = arguments.host
    server.start([])


if __name__ == "__main__":
    main()
