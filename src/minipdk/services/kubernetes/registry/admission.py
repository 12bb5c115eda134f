"""What must be there before an object can be made: its namespace, and a pod's service account.

Rules: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/ (NamespaceLifecycle, ServiceAccount).
"""

from __future__ import annotations

from minipdk.services.kubernetes.errors import Cause, ForbiddenError, NotFoundError
from minipdk.services.kubernetes.kinds.table import NAMESPACES, PODS, SERVICE_ACCOUNTS
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.store import ObjectStore


def require_namespace(store: ObjectStore, resource: Resource, namespace: str, body: Object) -> None:
    """Raises NotFoundError where there is no such namespace, and ForbiddenError where it is going away."""
    if not resource.namespaced:
        return
    found = store.get(NAMESPACES, "", namespace)
    if found is None:
        raise NotFoundError(NAMESPACES.subject(namespace))
    if found["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
        raise _forbidden(resource, (body.get("metadata") or {}).get("name", ""), why, cause)


def require_service_account(store: ObjectStore, resource: Resource, found: Object) -> None:
    """Raises ForbiddenError for a pod whose service account is not in its namespace."""
    if resource is not PODS:
        return
    namespace, account = found["metadata"]["namespace"], found["spec"]["serviceAccountName"]
    if store.get(SERVICE_ACCOUNTS, namespace, account) is None:
        why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise _forbidden(resource, found["metadata"]["name"], why)


def _forbidden(resource: Resource, name: str, why: str, *causes: Cause) -> ForbiddenError:
    subject = resource.subject(name)
    return ForbiddenError(f'{subject.qualified} "{name}" is forbidden: {why}', subject, causes)
