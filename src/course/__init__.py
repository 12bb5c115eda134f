"""What the notebooks share: the profile, catching up, checks with hints, waiting with progress, and pictures.

Nothing here knows which cluster it talks to: it uses the vendors' clients and the profile's variables only.
"""

from course.catch_up import catch_up
from course.checks import CheckError, check
from course.profile import Profile, ProfileError, load

__all__ = ["CheckError", "Profile", "ProfileError", "catch_up", "check", "load"]
