"""The embedded profile: the variables that the vendors' clients and the course's notebooks read."""

from __future__ import annotations

import shlex

from minipdk.cluster.services import SERVICES
from minipdk.common.home import Home


def environment(home: Home) -> dict[str, str]:
    """The variables of every service, and the cluster's own: the course's repository and how images are built and run."""
    variables = {name: value for service in SERVICES for name, value in service.variables(home).items()}
    return {
        **variables,
        "COURSE_GIT_URL": home.identity.course_git_url,
        "IMAGE_BUILD": shlex.join(["minipdk", "image", "build", "--home", str(home.path)]),
        "IMAGE_RUN": shlex.join(["minipdk", "image", "run", "--home", str(home.path)]),
    }
