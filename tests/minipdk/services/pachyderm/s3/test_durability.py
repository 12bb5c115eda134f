"""An object that was acknowledged stays stored, whenever pachd is killed."""

from __future__ import annotations

import random
import threading
import time

from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, ClientError
from pachyderm_sdk import Client
from tests.conftest import ServiceProcess
from tests.minipdk.services.pachyderm.s3.test_gateway import connect, keys
from tests.minipdk.services.pachyderm.s3.test_writing import branch_of, content, new_bucket

from minipdk.common.home import Home


def body(key: str) -> bytes:
    """Every third object is large enough for a separate file."""
    return key.encode() * (20_000 if int(key) % 3 == 0 else 10)


def write(s3: BaseClient, bucket: str, numbers: range, acknowledged: list[str]) -> None:
    """Put objects until one fails."""
    for number in numbers:
        try:
            s3.put_object(Bucket=bucket, Key=str(number), Body=body(str(number)))
        except (BotoCoreError, ClientError):
            return
        acknowledged.append(str(number))


def test_acknowledged_objects_outlive_kills(home: Home, client: Client, pachd: ServiceProcess) -> None:
    s3 = connect(home)
    bucket = new_bucket(s3)
    chance, acknowledged = random.Random(), list[str]()
    for turn in range(6):
        start = turn * 100_000
        threads = [
            threading.Thread(target=write, args=(s3, bucket, range(at, at + 10_000), acknowledged))
            for at in (start, start + 10_000)
        ]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.02, 0.4))  # the test varies the moment at which the server dies
        pachd.kill()
        for thread in threads:
            thread.join()
        pachd.start()
    assert acknowledged
    stored = keys({"Contents": list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket).search("Contents[]"))})
    assert set(acknowledged) <= set(stored)
    for key in stored:  # a key that was not acknowledged may be there, but only whole
        assert content(s3, bucket, key) == body(key)
    assert not [info for info in client.pfs.list_commit(repo=branch_of(bucket).repo) if info.error]
