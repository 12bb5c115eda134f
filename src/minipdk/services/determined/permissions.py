"""Permissions: the rules of Determined's open-source master (``authz_basic_impl.go`` of each noun in its sources).

Every user reads, edits, stops and archives everything, except for the actions listed here. Those need an administrator or an
owner of the noun; an action whose nouns have no owner needs an administrator.
"""

from __future__ import annotations

from enum import Enum

from minipdk.services.determined.errors import PermissionDeniedError
from minipdk.services.determined.model import Caller


class Action(Enum):
    """The actions that need an owner or an administrator, with the words of their refusal."""

    DELETE_EXPERIMENT = "non admin users may not delete other user's experiments"
    DELETE_MODEL = "non-admin users may not delete other users' models access denied"
    DELETE_MODEL_VERSION = "non-admin users may not delete other users' model versions access denied"
    RENAME_WORKSPACE = "only admins may set other user's workspaces names"
    DELETE_WORKSPACE = "only admins may delete other user's workspaces"
    ARCHIVE_WORKSPACE = "only admins may archive other user's workspaces"
    UNARCHIVE_WORKSPACE = "only admins may unarchive other user's workspaces"
    SET_PROJECT_NAME_OR_DESCRIPTION = "can't set project name: non admin users need to own the project or workspace"
    SET_PROJECT_KEY = "can't set project key: non admin users need to own the project or workspace"
    DELETE_PROJECT = "can't delete project: non admin users need to own the project or workspace"
    ARCHIVE_PROJECT = "can't archive project: non admin users need to own the project or workspace"
    UNARCHIVE_PROJECT = "can't unarchive project: non admin users need to own the project or workspace"
    MOVE_PROJECT = "non admin users can't move projects that someone else owns"
    CREATE_USER = "only admin privileged users can create users"
    UPDATE_USER = "only admin privileged users can update users"
    RENAME_USER = "only admin privileged users can update other users"
    SET_DISPLAY_NAME = "only admin privileged users can set another user's display name"
    SET_PASSWORD = "only admin privileged users can change other user's passwords"  # noqa: S105 - the words of a refusal
    ADMINISTER = "user does not have permission"


def check(caller: Caller, action: Action, *owners: int) -> None:
    """Raises PermissionDeniedError unless the caller is an administrator or one of the ``owners``, ids of users."""
    if not caller.admin and caller.user_id not in owners:
        raise PermissionDeniedError(action.value)
