"""The files of commits and file sets: read them, write them, and carry them to and from folders on disk."""

from minipdk.services.pachyderm.pfs.files.folders import Files, Upload

__all__ = ["Files", "Upload"]
