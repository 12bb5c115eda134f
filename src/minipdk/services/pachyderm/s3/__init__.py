"""The S3 gateway: PFS for S3 clients (boto3, the aws command, KServe's storage initializer).

A bucket is a branch or a commit: ``[commit.]branch.repo[.project]``; a single part is the master branch of a repo. Each
request that writes makes one commit on the branch, or joins the branch's open commit. Branches with provenance and
pipelines' repos cannot be written to. An ETag is PFS's hash of the file, a version is a commit. PFS has no place for
metadata, so it is not kept. Only path-style addresses work. A request passes through these modules::

    api.gateway      one request, one response
    |- signatures, signatures_v2        the signature: who sends the request
    |- api.requests                     the bucket, key and parameters of the request
    |- payload                          the body, checked against the headers    (chunked: its encoding; checksums)
    |- api.dispatch                     the call for the method and parameters
    |- api.buckets, objects, uploads    the calls                                (messages: XML; conditions)
    `- buckets, job_buckets, uploads    PFS as buckets, and multipart uploads    (store: their rows)

`chunk_urls` serves parts of files to clients of the storage service, on the same port.
"""
