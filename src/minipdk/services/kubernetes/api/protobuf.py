"""Bodies in protobuf, which `kubectl create` and `kubectl auth` always send.

A body is the magic ``k8s\\0`` and an `Unknown` message with the kind and the object
(https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding). Only the kinds and fields that kubectl
builds from its options are here; any other field is refused by name, and the client can send JSON instead.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import cache
from typing import Any

from minipdk.services.kubernetes.api.descriptors import lines, messages
from minipdk.services.kubernetes.errors import BadRequestError, NotSupportedError
from minipdk.services.kubernetes.model import Object

MAGIC = b"k8s\0"
INSTEAD = "send JSON or YAML, as `kubectl apply -f` does"

FIELDS = """
Unknown typeMeta=1:TypeMeta raw=2:bytes contentEncoding=3:string contentType=4:string
TypeMeta apiVersion=1:string kind=2:string
Time seconds=1:int64 nanos=2:int32
Quantity string=1:string
IntOrString type=1:int64 intVal=2:int32 strVal=3:string
ObjectMeta name=1:string generateName=2:string namespace=3:string selfLink=4:string uid=5:string resourceVersion=6:string \
 generation=7:int64 creationTimestamp=8:Time deletionTimestamp=9:Time deletionGracePeriodSeconds=10:int64? \
 labels=11:{string annotations=12:{string ownerReferences=13:[OwnerReference finalizers=14:[string
OwnerReference kind=1:string name=3:string uid=4:string apiVersion=5:string controller=6:bool? blockOwnerDeletion=7:bool?
ObjectReference kind=1:string namespace=2:string name=3:string uid=4:string apiVersion=5:string resourceVersion=6:string \
 fieldPath=7:string
LocalObjectReference name=1:string
LabelSelector matchLabels=1:{string matchExpressions=2:[LabelSelectorRequirement
LabelSelectorRequirement key=1:string operator=2:string values=3:[string
ConfigMap metadata=1:ObjectMeta data=2:{string binaryData=3:{bytes immutable=4:bool?
Secret metadata=1:ObjectMeta data=2:{bytes type=3:string stringData=4:{string immutable=5:bool?
Namespace metadata=1:ObjectMeta spec=2:NamespaceSpec status=3:NamespaceStatus
NamespaceSpec finalizers=1:[string
NamespaceStatus phase=1:string
ServiceAccount metadata=1:ObjectMeta secrets=2:[ObjectReference imagePullSecrets=3:[LocalObjectReference \
 automountServiceAccountToken=4:bool?
Service metadata=1:ObjectMeta spec=2:ServiceSpec status=3:ServiceStatus
ServiceSpec ports=1:[ServicePort selector=2:{string clusterIP=3:string type=4:string sessionAffinity=7:string \
 loadBalancerIP=8:string externalName=10:string externalTrafficPolicy=11:string healthCheckNodePort=12:int32 \
 publishNotReadyAddresses=13:bool clusterIPs=18:[string
ServicePort name=1:string protocol=2:string port=3:int32 targetPort=4:IntOrString nodePort=5:int32 appProtocol=6:string?
ServiceStatus loadBalancer=1:LoadBalancerStatus
LoadBalancerStatus
Deployment metadata=1:ObjectMeta spec=2:DeploymentSpec status=3:DeploymentStatus
DeploymentSpec replicas=1:int32? selector=2:LabelSelector template=3:PodTemplateSpec strategy=4:DeploymentStrategy \
 minReadySeconds=5:int32 revisionHistoryLimit=6:int32? paused=7:bool progressDeadlineSeconds=9:int32?
DeploymentStrategy type=1:string
DeploymentStatus observedGeneration=1:int64 replicas=2:int32 updatedReplicas=3:int32 availableReplicas=4:int32 \
 unavailableReplicas=5:int32 readyReplicas=7:int32
PodTemplateSpec metadata=1:ObjectMeta spec=2:PodSpec
PodSpec containers=2:[Container restartPolicy=3:string terminationGracePeriodSeconds=4:int64? dnsPolicy=6:string \
 nodeSelector=7:{string serviceAccountName=8:string serviceAccount=9:string nodeName=10:string hostNetwork=11:bool \
 hostPID=12:bool hostIPC=13:bool imagePullSecrets=15:[LocalObjectReference hostname=16:string subdomain=17:string \
 schedulerName=19:string priorityClassName=24:string
Container name=1:string image=2:string command=3:[string args=4:[string workingDir=5:string ports=6:[ContainerPort \
 env=7:[EnvVar resources=8:ResourceRequirements terminationMessagePath=13:string imagePullPolicy=14:string stdin=16:bool \
 stdinOnce=17:bool tty=18:bool terminationMessagePolicy=20:string
ContainerPort name=1:string hostPort=2:int32 containerPort=3:int32 protocol=4:string hostIP=5:string
EnvVar name=1:string value=2:string
ResourceRequirements limits=1:{Quantity requests=2:{Quantity
SelfSubjectAccessReview metadata=1:ObjectMeta spec=2:SelfSubjectAccessReviewSpec status=3:AccessReviewStatus
SelfSubjectAccessReviewSpec resourceAttributes=1:ResourceAttributes nonResourceAttributes=2:NonResourceAttributes
ResourceAttributes namespace=1:string verb=2:string group=3:string version=4:string resource=5:string \
 subresource=6:string name=7:string
NonResourceAttributes path=1:string verb=2:string
AccessReviewStatus allowed=1:bool reason=2:string evaluationError=3:string denied=4:bool
SelfSubjectRulesReview metadata=1:ObjectMeta spec=2:SelfSubjectRulesReviewSpec status=3:RulesReviewStatus
SelfSubjectRulesReviewSpec namespace=1:string
RulesReviewStatus incomplete=3:bool evaluationError=4:string
SelfSubjectReview metadata=1:ObjectMeta status=2:SelfSubjectReviewStatus
SelfSubjectReviewStatus userInfo=1:UserInfo
UserInfo username=1:string uid=2:string groups=3:[string
TokenRequest metadata=1:ObjectMeta spec=2:TokenRequestSpec status=3:TokenRequestStatus
TokenRequestSpec audiences=1:[string boundObjectRef=3:BoundObjectReference expirationSeconds=4:int64?
BoundObjectReference kind=1:string apiVersion=2:string name=3:string uid=4:string
TokenRequestStatus token=1:string expirationTimestamp=2:Time
DeleteOptions gracePeriodSeconds=1:int64? preconditions=2:Preconditions orphanDependents=3:bool? \
 propagationPolicy=4:string? dryRun=5:[string
Preconditions uid=1:string? resourceVersion=2:string?
"""


def decode(body: bytes) -> Object:
    """The object in ``body``, as its JSON. Raises BadRequestError and NotSupportedError."""
    from google.protobuf.message import DecodeError

    if not body.startswith(MAGIC):
        raise BadRequestError("the body is not protobuf as Kubernetes writes it: its first four bytes must be k8s\\0")
    try:
        envelope = _message("Unknown").FromString(body[len(MAGIC) :])
        kind = envelope.typeMeta.kind
        if kind not in kinds():
            raise NotSupportedError(f"{kind or 'an unnamed kind'} in a protobuf body", INSTEAD)
        item = _as_json(_message(kind).FromString(envelope.raw))
    except DecodeError as error:
        raise BadRequestError(f"the body is not protobuf as Kubernetes writes it: {error}") from error
    assert isinstance(item, dict)
    return {"apiVersion": envelope.typeMeta.apiVersion, "kind": kind, **item}


def _as_json(message: Any) -> Any:
    from google.protobuf.unknown_fields import UnknownFieldSet

    name = message.DESCRIPTOR.name
    unknown = UnknownFieldSet(message)
    if len(unknown):
        number = unknown[0].field_number
        raise NotSupportedError(f"field {number} of {name} in a protobuf body", INSTEAD)
    if name == "Time":
        return datetime.fromtimestamp(message.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if message.seconds else None
    if name == "Quantity":
        return message.string
    if name == "IntOrString":
        return message.strVal if message.type else message.intVal
    fields: Object = {}
    for field, value in message.ListFields():
        content = _field_as_json(field, value)
        if content is not None:
            fields[field.name] = content
    return fields


def _field_as_json(field: Any, value: Any) -> Any:
    """None for a zero that Go's JSON would leave out."""
    if field.message_type and field.message_type.GetOptions().map_entry:
        return {key: _scalar_as_json(value[key]) for key in value}
    if field.label == field.LABEL_REPEATED:
        return [_scalar_as_json(item) for item in value]
    if field.message_type is None and not value and f"{field.containing_type.name}.{field.name}" not in _nullable():
        return None
    return _scalar_as_json(value)


def _scalar_as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, str | int | bool) else _as_json(value)


@cache
def kinds() -> frozenset[str]:
    """The messages that are whole objects, and the options of a deletion."""
    objects = {line[0] for line in lines(FIELDS) if line[1:2] == ["metadata=1:ObjectMeta"] and line[0] != "PodTemplateSpec"}
    return frozenset(objects | {"DeleteOptions"})


@cache
def _nullable() -> frozenset[str]:
    return frozenset(
        f"{line[0]}.{field.partition('=')[0]}" for line in lines(FIELDS) for field in line[1:] if field.endswith("?")
    )


def _message(name: str) -> Any:
    return messages("kubernetes", FIELDS)[name]
