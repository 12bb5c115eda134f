"""The gRPC services that are neither PFS nor PPS, one module each: administration, users, metadata, transactions."""
