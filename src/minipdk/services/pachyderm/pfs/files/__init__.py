"""The files of commits and file sets: read them, write them, and copy them to and from folders on disk.

`Files` has all of it, built up in four steps: `reading.FileReader`, `writing.FileWriter`, `filesets.FileSets` and
`folders.Files`. `globs` compiles patterns.
"""

from minipdk.services.pachyderm.pfs.files.folders import Files, Upload

__all__ = ["Files", "Upload"]
