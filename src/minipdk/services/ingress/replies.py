"""The ingress's own answers: always ``{"error": "..."}``, or the message alone as the status of a gRPC call.

    400  the request is malformed
    403  a web page of another origin sent an unsafe request, or a change of protocol was asked for
    404  no InferenceService has this host name or path
    408  the request's body stopped coming
    413  the request's body is larger than the limit
    431  the request's headers are larger than Envoy takes
    502  the predictor broke the connection
    503  the service has no ready predictor (with the reason), it does not accept connections, or too many requests wait
    504  the predictor did not answer in time

Envoy marks the reason of such an answer by flags and by status; `local_replies` gives each a text. Flags:
https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]

GRPC = "application/grpc"
TIMEOUT = "%METADATA(ROUTE:minipdk:timeout)%"
"""The seconds that a request's route gives its predictor, as `config` notes them."""
TEXT = "%LOCAL_REPLY_BODY%"

NOT_CONNECTED = "the predictor does not accept connections: it may be restarting, try again"
OVERFLOW = "%REQ(:AUTHORITY)% has too many requests waiting: try again later"
BROKEN = "the predictor broke the connection"
SLOW = f"the predictor did not answer within {TIMEOUT} s"
STALLED = f"the request's body stopped coming for {TIMEOUT} s"
UPGRADE = "changing the protocol to %REQ(UPGRADE)% is not supported by minipdk"
MALFORMED = "the request is malformed: %RESPONSE_CODE_DETAILS%"
HEADERS_TOO_LARGE = "the request's headers are larger than the ingress takes"


def local_replies(max_body: int) -> Config:
    """Envoy's LocalReplyConfig."""
    rules: list[tuple[Config, str, int | None]] = [
        (_flags("UF", "URX"), NOT_CONNECTED, 503),
        (_flags("UO"), OVERFLOW, None),
        (_flags("UC", "UR", "UPE", "LR"), BROKEN, 502),
        (_status(504), SLOW, None),
        (_status(408), STALLED, None),
        (_status(413), f"the request body is larger than the ingress's limit of {max_body} bytes", None),
        (_both(_status(403), _header("upgrade")), UPGRADE, None),
        (_status(400), MALFORMED, None),
        (_status(431), HEADERS_TOO_LARGE, None),
        (_status(400, "GE"), TEXT, None),
    ]
    answers = {"filter": _status(200), "body_format_override": {"text_format_source": {"inline_string": TEXT}}}
    return {
        "mappers": [answers, *(mapper for rule in rules for mapper in _mappers(*rule))],
        "body_format": {"json_format": {"error": TEXT}},
    }


def _mappers(condition: Config, text: str, status: int | None) -> list[Config]:
    answers_grpc = _both(condition, _header("content-type", {"prefix": GRPC}))
    changed = {} if status is None else {"status_code": status}
    return [
        {"filter": answers_grpc, "body_format_override": {"text_format_source": {"inline_string": text}}, **changed},
        {"filter": condition, "body_format_override": {"json_format": {"error": text}}, **changed},
    ]


def _flags(*flags: str) -> Config:
    return {"response_flag_filter": {"flags": list(flags)}}


def _status(status: int, operator: str = "EQ") -> Config:
    comparison = {"op": operator, "value": {"default_value": status, "runtime_key": "none"}}
    return {"status_code_filter": {"comparison": comparison}}


def _header(name: str, value: Config | None = None) -> Config:
    matcher = {"string_match": value} if value else {"present_match": True}
    return {"header_filter": {"header": {"name": name, **matcher}}}


def _both(first: Config, second: Config) -> Config:
    return {"and_filter": {"filters": [first, second]}}
