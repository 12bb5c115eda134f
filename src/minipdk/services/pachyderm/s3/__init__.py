"""The S3 gateway: PFS for S3 clients (boto3, the aws command, KServe's storage initializer).

A bucket is a branch or a commit: ``[commit.]branch.repo[.project]``, and a single part is a repo's master. Each request that
writes makes one commit on the branch, or goes into the branch's open one; branches with provenance and pipelines' repos are
not written to. An ETag is PFS's hash of the file, a version is a commit. Metadata is not kept: PFS has no place for it.
Path-style addresses only. A request goes through these modules::

    gateway          one request, one answer: who handles what
    |- signatures    who asks
    |- calls         what is asked
    |- payload       the body, checked against what is said of it      (chunked: its encoding; checksums)
    |- write_calls, multipart_calls                                    (documents, answers: XML)
    `- buckets, writing, multipart      PFS seen as S3 sees it
"""
