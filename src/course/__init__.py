"""The code that notebooks share: the profile, catching up, checks with hints, waiting with progress, and pictures.

Nothing here knows which cluster it talks to: it uses the vendors' clients and the profile's variables only.
"""

import os

from course.catch_up import catch_up
from course.checks import CheckError, check
from course.profile import Profile, ProfileError, load

__all__ = ["CheckError", "Profile", "ProfileError", "catch_up", "check", "load"]

# A notebook's `!` forks, only to run a command; gRPC's own handling of forks breaks about every tenth of those. It looks at
# this once, when it is imported: the Makefile sets it too, for notebooks that import a client of gRPC's before this.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
