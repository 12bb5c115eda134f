"""``auth``: the token of this context, roles and permissions. A cluster without auth answers with its own words."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any

import typer
from pachyderm_sdk.api import auth

from pachctl import client, config, output, specs, verbs
from pachctl.errors import PachctlError
from pachctl.options import Project, RepoName
from pachctl.verbs import group

check = group(verbs.auth, "check", "Show the permissions that someone has on a resource.")
get = group(verbs.auth, "get", "Show the roles that are bound to a resource.")
set_ = group(verbs.auth, "set", "Bind roles to someone on a resource.")

KEEP = "WARNING: DO NOT LOSE THE AUTH TOKEN BELOW. STORE IT SECURELY FOR THE LIFE OF THE CLUSTER."
Principal = Annotated[str, typer.Argument(metavar="SUBJECT", help="Such as user:a@b.c or robot:ci.", show_default=False)]
MaybePrincipal = Annotated[str | None, typer.Argument(metavar="[SUBJECT]", show_default=False)]
Roles = Annotated[str, typer.Argument(metavar="ROLE[,ROLE]|none", show_default=False)]
ProjectName = Annotated[str, typer.Argument(metavar="PROJECT", show_default=False)]


def _keep_token(token: str) -> None:
    """Write the session token of the active context; an empty one removes it."""
    document = config.load()
    _, context = config.active(document)
    if token:
        context["session_token"] = token
    else:
        context.pop("session_token", None)
    config.save(document)


def _read_token(prompt: str) -> str:
    """A token from standard input, not shown on a terminal."""
    token = (getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not token:
        raise PachctlError(f"no token was given; the session token of context {client.target().context!r} is unchanged")
    return token


@verbs.auth.command("whoami")
def whoami() -> None:
    """Show which user the session token stands for."""
    answer = client.connect().auth.who_am_i()
    output.line(f'You are "{answer.username}"')
    if output.moment(answer.expiration):
        output.line(f"session expires: {output.when(answer.expiration, full=True)}")


@verbs.auth.command("use-auth-token")
def use_auth_token() -> None:
    """Keep a token, read from standard input, as the active context's session token."""
    _keep_token(_read_token("Please paste your Pachyderm auth token: "))


@verbs.auth.command("login")
def login(
    id_token: Annotated[bool, typer.Option("--id-token", "-t", help="Read an ID token from standard input.")] = False,
) -> None:
    """Sign in with an ID token from your identity provider."""
    if not id_token:
        raise PachctlError(
            "signing in through a browser is not supported by this pachctl: use --id-token, or a token with "
            "pachctl auth use-auth-token"
        )
    _keep_token(client.connect().auth.authenticate(id_token=_read_token("ID token: ")).pach_token)


@verbs.auth.command("logout")
def logout() -> None:
    """Forget the active context's session token."""
    _keep_token("")


@verbs.auth.command("activate")
def activate(
    supply_root_token: Annotated[
        bool, typer.Option("--supply-root-token", help="Read the root token from standard input.")
    ] = False,
) -> None:
    """Turn auth on; only the root user may do anything then."""
    cluster = client.connect()
    answer = cluster.auth.activate(root_token=_read_token("Root token: ") if supply_root_token else "")
    output.line(f"{KEEP}\nPachyderm root token:\n{answer.pach_token}")
    _keep_token(answer.pach_token)
    cluster = client.connect()
    cluster.pfs.activate_auth()
    cluster.pps.activate_auth()


@verbs.auth.command("deactivate")
def deactivate() -> None:
    """Turn auth off, after asking: every token and role is deleted, and everyone may do everything."""
    output.line("All auth information (ACLs, tokens, and admins) in this cluster will be deleted, and ALL data exposed.")
    if not output.confirmed():
        raise PachctlError("operation aborted")
    client.connect().auth.deactivate()


@verbs.auth.command("get-robot-token")
def get_robot_token(
    robot: Annotated[str, typer.Argument(metavar="ROBOT", show_default=False)],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the token.")] = False,
    ttl: Annotated[str, typer.Option(help="How long it lives, such as 1h; forever if not given.", show_default=False)] = "",
) -> None:
    """Make a token for a robot user."""
    lifetime = int(specs.seconds(ttl, "ttl")) if ttl else 0
    token = client.connect().auth.get_robot_token(robot=robot, ttl=lifetime).token
    output.line(token if quiet else f"Token: {token}")


@verbs.auth.command("revoke")
def revoke(
    token: Annotated[str, typer.Option(help="This token.", show_default=False)] = "",
    user: Annotated[str, typer.Option(help="Every token of this user.", show_default=False)] = "",
) -> None:
    """Make tokens invalid."""
    if bool(token) == bool(user):
        raise PachctlError(f"{'only one' if token else 'one'} of --token or --user {'may' if token else 'must'} be set")
    cluster = client.connect().auth
    answer = cluster.revoke_auth_token(token=token) if token else cluster.revoke_auth_tokens_for_user(username=user)
    output.line(f"{answer.number} auth token{'' if answer.number == 1 else 's'} revoked")


@verbs.auth.command("rotate-root-token")
def rotate_root_token(
    supply_token: Annotated[str, typer.Option(help="The new token [default: a random one].", show_default=False)] = "",
) -> None:
    """Replace the root user's token."""
    output.line(
        f"{KEEP}\nPachyderm auth token:\n{client.connect().auth.rotate_root_token(root_token=supply_token).root_token}"
    )


@verbs.auth.command("get-groups")
def get_groups(subject: MaybePrincipal = None) -> None:
    """List the groups that you, or someone else, belong to."""
    cluster = client.connect().auth
    answer = cluster.get_groups_for_principal(principal=subject) if subject else cluster.get_groups()
    for name in answer.groups:
        output.line(name)


@verbs.auth.command("roles-for-permission")
def roles_for_permission(permission: Annotated[str, typer.Argument(metavar="PERMISSION", show_default=False)]) -> None:
    """List the roles that grant a permission."""
    if permission.upper() not in auth.Permission.__members__:
        raise PachctlError(f'unknown permission "{permission}"')
    answer = client.connect().auth.get_roles_for_permission(permission=auth.Permission[permission.upper()])
    for name in sorted(role.name for role in answer.roles):
        output.line(name)


@verbs.auth.command("get-config")
def get_config() -> None:
    """Show how the cluster's identity provider is set up."""
    output.raw([client.connect().auth.get_configuration().configuration], "json")


def _repo(name: str, project: str | None) -> auth.Resource:
    return auth.Resource(type=auth.ResourceType.REPO, name=client.repo_uri(client.repo(name, project)))


def _project(name: str) -> auth.Resource:
    return auth.Resource(type=auth.ResourceType.PROJECT, name=name)


_CLUSTER = auth.Resource(type=auth.ResourceType.CLUSTER)


def _check(resource: auth.Resource, subject: str | None) -> None:
    cluster = client.connect().auth
    if subject:
        answer = cluster.get_permissions_for_principal(resource=resource, principal=subject)
    else:
        answer = cluster.get_permissions(resource=resource)
    permissions = [auth.Permission(number).name for number in answer.permissions]
    output.line(f"Roles: {_bracketed(answer.roles)}\nPermissions: {_bracketed(permissions)}")


def _bracketed(words: Any) -> str:
    return f"[{' '.join(words)}]"


def _get(resource: auth.Resource) -> None:
    for principal, roles in sorted(client.connect().auth.get_role_binding(resource=resource).binding.entries.items()):
        output.line(f"{principal}: {_bracketed(sorted(roles.roles))}")


def _set(resource: auth.Resource, roles: str, subject: str) -> None:
    names = [] if roles == "none" else roles.split(",")
    client.connect().auth.modify_role_binding(resource=resource, principal=subject, roles=names)


@check.command("repo")
def check_repo(repo: RepoName, subject: MaybePrincipal = None, project: Project = None) -> None:
    """Show the permissions that you, or someone else, have on a repo."""
    _check(_repo(repo, project), subject)


@check.command("project")
def check_project(project: ProjectName, subject: MaybePrincipal = None) -> None:
    """Show the permissions that you, or someone else, have on a project."""
    _check(_project(project), subject)


@get.command("repo")
def get_repo(repo: RepoName, project: Project = None) -> None:
    """Show who has which roles on a repo."""
    _get(_repo(repo, project))


@get.command("project")
def get_project(project: ProjectName) -> None:
    """Show who has which roles on a project."""
    _get(_project(project))


@get.command("cluster")
def get_cluster() -> None:
    """Show who has which roles on the cluster."""
    _get(_CLUSTER)


@set_.command("repo")
def set_repo(repo: RepoName, roles: Roles, subject: Principal, project: Project = None) -> None:
    """Set the roles that someone has on a repo: repoReader, repoWriter, repoOwner."""
    _set(_repo(repo, project), roles, subject)


@set_.command("project")
def set_project(project: ProjectName, roles: Roles, subject: Principal) -> None:
    """Set the roles that someone has on a project: projectViewer, projectWriter, projectOwner, projectCreator."""
    _set(_project(project), roles, subject)


@set_.command("cluster")
def set_cluster(roles: Roles, subject: Principal) -> None:
    """Set the roles that someone has on the cluster."""
    _set(_CLUSTER, roles, subject)
