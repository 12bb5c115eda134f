"""The protocol: HTTP in, HTTP out. It parses a request, calls the registry and answers; it has no rules and no SQL.

`app` routes and authenticates (`authentication`), and chooses the verb. The parts of a request: the path (`requests`), the
query (`queries`, `options`), the body (`decoding`, `protobuf`, `descriptors`), the Accept header (`negotiation`). Answers
that need no stored object: `discovery`, `openapi`, `reviews`; and `logs`, which reads files.
"""
