"""The parts of the platform, put together."""

from __future__ import annotations

from minipdk.common.home import Home
from minipdk.controller.api import Api
from minipdk.images import ImageStore
from minipdk.services.neuro.jobs.builds import Builds
from minipdk.services.neuro.jobs.jobs import Jobs
from minipdk.services.neuro.jobs.logs import Logs
from minipdk.services.neuro.jobs.runner import Runner
from minipdk.services.neuro.login import Login
from minipdk.services.neuro.messages import CLIENT_ID, client_config
from minipdk.services.neuro.names import Addresses
from minipdk.services.neuro.registry import Registry
from minipdk.services.neuro.service import LOGS, STORAGE
from minipdk.services.neuro.storage import Storage
from minipdk.services.neuro.store import Store
from minipdk.services.neuro.tokens import Tokens


class Platform:
    def __init__(self, home: Home) -> None:
        self._home = home
        self.addresses = Addresses(home.url("neuro"), home.url("ingress"))
        self.tokens = Tokens.of(home)
        own_callback = client_config(self.addresses)["headless_callback_url"]
        self.login = Login(self.tokens, home.token, CLIENT_ID, own_callback)
        self.storage = Storage(home.folder(STORAGE))
        self.images = ImageStore(home)
        self.registry = Registry(self.images)
        self.logs = Logs(home.folder(LOGS))
        self.jobs = Jobs(Store(home.database("neuro")), self.storage, self.logs)

    def runner(self, api: Api) -> Runner:
        """The part that runs the jobs as Pods of the cluster that ``api`` speaks to. It needs a running event loop."""
        builder = Builds(self._home, self.storage)
        token = self.tokens.permanent()
        return Runner(
            api,
            jobs=self.jobs,
            logs=self.logs,
            storage=self.storage,
            builder=builder,
            images=self.images,
            addresses=self.addresses,
            token=token,
        )
