"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from minipdk.services.pachyderm.wire.message import Message

class Version(Message):
    major: int
    minor: int
    micro: int
    additional: str
    git_commit: str
    git_tree_modified: str
    build_date: str
    go_version: str
    platform: str
    def __init__(
        self,
        *,
        major: int | None = ...,
        minor: int | None = ...,
        micro: int | None = ...,
        additional: str | None = ...,
        git_commit: str | None = ...,
        git_tree_modified: str | None = ...,
        build_date: str | None = ...,
        go_version: str | None = ...,
        platform: str | None = ...,
    ) -> None: ...
