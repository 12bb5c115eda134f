"""How every HTTP port is served: uvicorn on loopback, behind the guards of a local server that many clients may abuse.

A service declares the rules of its port as a `Policy`: limits, who may call, and the form of a refusal. A request passes

1. `listener`: at most so many connections; beyond, the idle one that has waited longest gives way;
2. `connection`: its head is complete before a deadline, is not too large, and is well-formed;
3. `guard`: its Host is a name of this machine, its caller is known before its body is read, no other origin's web page
   made it (`origins`), and its body is neither too large nor stalled;
4. the service's application, which may take the connection over for another protocol (`upgrades`).

`minipdk.common.documents` reads the JSON and YAML in bodies within bounds.

The rules come from attacks on other local servers: a Host allow-list against DNS rebinding, a same-origin check against
requests that a web page makes behind its reader's back, and deadlines against clients that never finish a request.
"""

from minipdk.common.web.policy import Limits, Policy, RefusedError

__all__ = ["Limits", "Policy", "RefusedError"]
