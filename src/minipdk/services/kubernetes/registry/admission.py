"""Conditions for a new object: its namespace must exist, and so must a pod's service account.

Rules: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/ (NamespaceLifecycle, ServiceAccount).
"""

from __future__ import annotations

from minipdk.services.kubernetes.errors import Cause, ForbiddenError, NotFoundError
from minipdk.services.kubernetes.kinds.builtin.namespaces import NAMESPACES
from minipdk.services.kubernetes.kinds.builtin.pods import PODS
from minipdk.services.kubernetes.kinds.builtin.service_accounts import SERVICE_ACCOUNTS
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.store import ObjectStore


def require_namespace(store: ObjectStore, resource: Resource, namespace: str, body: Object) -> None:
    """Raises NotFoundError if the namespace does not exist, and ForbiddenError if it is being deleted."""
    if not resource.namespaced:
        return
    stored = store.get(NAMESPACES, "", namespace)
    if stored is None:
        raise NotFoundError(NAMESPACES.subject(namespace))
    if stored["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
        raise _forbidden(resource, (body.get("metadata") or {}).get("name", ""), why, cause)


def require_service_account(store: ObjectStore, resource: Resource, new: Object) -> None:
    """Raises ForbiddenError for a pod whose service account is not in its namespace."""
    if resource is not PODS:
        return
    namespace, account = new["metadata"]["namespace"], new["spec"]["serviceAccountName"]
    if store.get(SERVICE_ACCOUNTS, namespace, account) is None:
        why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise _forbidden(resource, new["metadata"]["name"], why)


def _forbidden(resource: Resource, name: str, why: str, *causes: Cause) -> ForbiddenError:
    subject = resource.subject(name)
    return ForbiddenError(f'{subject.qualified} "{name}" is forbidden: {why}', subject, causes)
