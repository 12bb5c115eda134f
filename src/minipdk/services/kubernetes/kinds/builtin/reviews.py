"""Reviews: questions about users and permissions that are answered and not stored. `api.reviews` answers them."""

from __future__ import annotations

from minipdk.services.kubernetes.model import CREATE_ONLY, Resource

AUTHENTICATION, AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"


def _review(group: str, kind: str, description: str, *, namespaced: bool = False) -> Resource:
    plural = f"{kind.lower()}s"
    return Resource(
        group, "v1", kind, plural, namespaced=namespaced, model=f"V1{kind}", verbs=CREATE_ONLY, description=description
    )


REVIEWS = (
    _review(AUTHENTICATION, "SelfSubjectReview", "Who this request comes from."),
    _review(AUTHENTICATION, "TokenReview", "Whose a token is."),
    _review(AUTHORIZATION, "LocalSubjectAccessReview", "Whether a user may do one thing in a namespace.", namespaced=True),
    _review(AUTHORIZATION, "SelfSubjectAccessReview", "Whether the caller may do one thing."),
    _review(AUTHORIZATION, "SelfSubjectRulesReview", "Everything that the caller may do in a namespace."),
    _review(AUTHORIZATION, "SubjectAccessReview", "Whether a user may do one thing."),
)
