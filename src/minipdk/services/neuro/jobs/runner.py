"""Runs jobs: creates their Pods, follows them, keeps their logs, enforces limits, and removes their objects at the end.

Every step can be repeated: after ``kill -9`` it goes on from the jobs in the store and the Pods in the Kubernetes API.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import datetime

from minipdk.controller.api import Api, until_accepted
from minipdk.controller.errors import ApiError, ConflictError, NotFoundError
from minipdk.controller.informer import Informer
from minipdk.controller.objects import INGRESSES, NAMESPACES, PODS, SECRETS, SERVICES, Key, Object, Resource
from minipdk.controller.queue import WorkQueue
from minipdk.images import ImageStore
from minipdk.images.errors import ImageError
from minipdk.images.registry import stored_name
from minipdk.services.neuro.errors import PlatformError
from minipdk.services.neuro.jobs import builds, pods
from minipdk.services.neuro.jobs.builds import Builds
from minipdk.services.neuro.jobs.jobs import Filter, Jobs
from minipdk.services.neuro.jobs.logs import JobLog, Logs
from minipdk.services.neuro.model import Job, Status, Transition
from minipdk.services.neuro.names import NAMESPACE, USER, Addresses
from minipdk.services.neuro.storage import Storage

KILL_SECONDS = 10
"""How long an ended job's program may take to end."""
MOST_TRANSITIONS = 200
REJECTED = (400, 413, 422)
"""The statuses of a Pod that the Kubernetes API will never accept, such as one whose variables have more than 3 MiB."""

log = logging.getLogger(__name__)


class Runner:
    """Runs the ``jobs``. ``token`` is the one with which they pull their images."""

    def __init__(
        self,
        api: Api,
        *,
        jobs: Jobs,
        logs: Logs,
        storage: Storage,
        builder: Builds,
        images: ImageStore,
        addresses: Addresses,
        token: str,
    ) -> None:
        self._api, self._jobs, self._logs, self._storage = api, jobs, logs, storage
        self._builder, self._images, self._addresses, self._token = builder, images, addresses, token
        self._pods = Informer(api, PODS, self._pod_changed)
        self._queue = WorkQueue()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._collectors: dict[str, asyncio.Task[None]] = {}
        self._builds: dict[str, asyncio.Task[None]] = {}
        jobs.changed = self.schedule

    def schedule(self, job_id: str) -> None:
        """Look at the job soon."""
        self._queue.add((NAMESPACE, job_id))

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pods.run())
                tasks.create_task(self._work())
                await self._prepare()
        finally:
            running = [*self._builds.values(), *self._collectors.values()]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _prepare(self) -> None:
        """Make the namespace and the secret of the jobs, and look at every job that has not ended."""
        jobs = await asyncio.to_thread(self._jobs.search, Filter())
        await asyncio.to_thread(self._builder.sweep, jobs)
        active = [job for job in jobs if not job.status.is_final]
        for job in active:
            if builds.is_build(job):
                self.schedule(job.id)
        await self._pods.synced.wait()
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        await self._create(NAMESPACES, "", namespace)
        secret = pods.registry_secret(USER, self._token, self._addresses)
        await until_accepted("the jobs' secret", lambda: self._api.apply(SECRETS, secret, force=True), final=())
        for job in active:
            self.schedule(job.id)

    async def _work(self) -> None:
        while True:
            await self._queue.attempt(await self._queue.take(), self._reconcile)

    def _pod_changed(self, pod: Object) -> None:
        metadata = pod["metadata"]
        if metadata["namespace"] == NAMESPACE and pods.JOB_LABEL in (metadata.get("labels") or {}):
            self.schedule(metadata["name"])

    async def _reconcile(self, key: Key) -> bool:
        """Take the job's next step; True, because nothing is left to try again."""
        _, job_id = key
        try:
            job = await asyncio.to_thread(self._jobs.get, job_id)
        except PlatformError:
            return True
        if builds.is_build(job):
            await self._reconcile_build(job)
        elif not self._pods.synced.is_set():
            return True  # `_prepare` schedules it again
        elif job.status.is_final:
            await self._clean_up(job)
        else:
            await self._advance(job)
        with contextlib.suppress(PlatformError):
            self._set_timer(await asyncio.to_thread(self._jobs.get, job_id))
        return True

    # Pods

    async def _advance(self, job: Job) -> None:
        """Create the job's Pod, or record its Pod's state, or end a job that has used up its time."""
        if reason := overdue(job):
            await self._end(job, reason)
            return
        pod = self._pods.get((NAMESPACE, job.id))
        if pod is None and job.pod_uid:
            await self._enter(job, Transition(Status.FAILED, time.time(), "PodDeleted", "the job's pod was deleted"))
        elif pod is None:
            await self._create_pod(job)
        else:
            await self._follow(job, pod)

    async def _create_pod(self, job: Job) -> None:
        try:
            body = await asyncio.to_thread(pods.pod, job, self._storage, self._addresses, self._token)
            created = await self._api.create(PODS, NAMESPACE, body)
        except ConflictError:
            created = await self._api.get(PODS, NAMESPACE, job.id)
        except PlatformError as error:
            await self._enter(job, Transition(Status.FAILED, time.time(), "InvalidVolume", str(error)))
            return
        except ApiError as error:
            if error.status not in REJECTED:
                raise
            await self._enter(job, Transition(Status.FAILED, time.time(), "InvalidPod", str(error)))
            return
        self._pods.remember(created)
        await self._publish(job, created)
        self.schedule(job.id)

    async def _publish(self, job: Job, pod: Object) -> None:
        """Give the job its addresses, and then note its Pod: a service that is killed meanwhile does both again."""
        for resource, body in ((SERVICES, pods.service(job)), (INGRESSES, pods.ingress(job))):
            if body:
                await self._create(resource, NAMESPACE, body)
        await asyncio.to_thread(self._jobs.set_pod, job.id, pod["metadata"]["uid"])

    async def _follow(self, job: Job, pod: Object) -> None:
        if not job.pod_uid:
            await self._publish(job, pod)
        current = pods.state(pod)
        if current.started:
            self._collect(job.id)
        if pods.is_missing_image(current) and await self._has_image(job):
            return  # the registry was not there when the kubelet asked; it asks again
        if current.status.is_final and job.id in self._collectors:
            return  # its log comes first: it is looked at again when that is complete
        if current.status is Status.SUCCEEDED and job.status is Status.PENDING:
            await self._enter(job, Transition(Status.RUNNING, _started_at(pod)))
        if current.status is Status.FAILED and current.started and job.status is Status.PENDING:
            await self._enter(job, Transition(Status.RUNNING, _started_at(pod)))
        if current.status is Status.PENDING and len(job.transitions) >= MOST_TRANSITIONS:
            return
        transition = Transition(current.status, time.time(), current.reason, current.description, current.exit_code)
        await self._enter(job, transition)

    async def _has_image(self, job: Job) -> bool:
        """Whether the image is in this registry, so that the kubelet will find it."""
        image = job.container.image
        if stored_name(image) is None:
            return False
        try:
            await asyncio.to_thread(self._images.resolve, image)
        except ImageError:
            return False
        return True

    async def _clean_up(self, job: Job) -> None:
        """Remove an ended job's Pod, once its log is complete, and its addresses."""
        for resource in (INGRESSES, SERVICES):
            await self._delete(resource, job.id)
        pod = self._pods.get((NAMESPACE, job.id))
        if pod is None:
            self._end_log(job.id)
        elif "deletionTimestamp" not in pod["metadata"]:
            if pods.state(pod).started:
                self._collect(job.id)
            with contextlib.suppress(NotFoundError, ConflictError):
                await self._api.delete(PODS, NAMESPACE, job.id, pod["metadata"]["uid"], grace=KILL_SECONDS)

    async def _create(self, resource: Resource, namespace: str, body: Object) -> None:
        """Create an object unless it exists."""
        name = body["metadata"]["name"]
        with contextlib.suppress(ConflictError):
            await until_accepted(f"{resource.plural} {name}", lambda: self._api.create(resource, namespace, body))

    async def _delete(self, resource: Resource, name: str) -> None:
        try:
            current = await self._api.get(resource, NAMESPACE, name)
            await self._api.delete(resource, NAMESPACE, name, current["metadata"]["uid"])
        except (NotFoundError, ConflictError):
            return

    # Logs

    def _collect(self, job_id: str) -> None:
        """Copy the Pod's log into the job's, once."""
        job_log = self._logs.of(job_id)
        if job_id not in self._collectors and not job_log.complete:
            task = asyncio.create_task(self._copy(job_id, job_log))
            self._collectors[job_id] = task
            task.add_done_callback(lambda _: self._log_collected(job_id))

    def _log_collected(self, job_id: str) -> None:
        del self._collectors[job_id]
        self.schedule(job_id)

    async def _copy(self, job_id: str, job_log: JobLog) -> None:
        """Follow the Pod's log to its end. A service that starts again goes on after the last line that it has."""

        async def follow() -> None:
            since, known = await asyncio.to_thread(job_log.last_lines)
            rest = b""
            async for block in self._api.follow_log(NAMESPACE, job_id, since=since):
                lines, newline, rest = (rest + block).rpartition(b"\n")
                kept = (lines + newline).splitlines(keepends=True)
                while known and kept and kept[0].startswith(since.encode()):
                    known -= 1
                    kept.pop(0)
                if kept:
                    known = 0
                    job_log.write(b"".join(kept))
            if rest:
                job_log.write(rest + b"\n")

        with contextlib.suppress(NotFoundError):
            await until_accepted(f"log of job {job_id}", follow, final=(NotFoundError,))
        job_log.end()

    def _end_log(self, job_id: str) -> None:
        """Note that nothing more will be logged, unless a collector still reads."""
        if job_id not in self._collectors:
            self._logs.of(job_id).end()

    # Builds

    async def _reconcile_build(self, job: Job) -> None:
        running = self._builds.get(job.id)
        if job.status.is_final:
            if running:
                running.cancel()
            else:
                self._logs.of(job.id).end()
        elif reason := overdue(job):
            await self._end(job, reason)
        elif running is None:
            task = self._builds[job.id] = asyncio.create_task(self._build(job))
            task.add_done_callback(lambda _: self._builds.pop(job.id, None))

    async def _build(self, job: Job) -> None:
        job_log = self._logs.of(job.id)
        try:
            async with self._builder.slots:
                if job.status is Status.RUNNING:
                    job_log.write_now(
                        b"The platform has been started again: the build begins again, with the steps that it has."
                    )
                await self._enter(job, Transition(Status.RUNNING, time.time()))
                result = await self._builder.run(job, job_log)
            status, reason = (Status.FAILED, "Error") if result.exit_code else (Status.SUCCEEDED, "")
            job_log.end()
            await self._enter(job, Transition(status, time.time(), reason, result.message, result.exit_code))
        except asyncio.CancelledError:
            job = await asyncio.to_thread(self._jobs.get, job.id)
            if not job.status.is_final:
                raise  # the service stops; it begins again at the next start
        finally:
            job_log.end()
        await asyncio.to_thread(self._builder.remove_context, job)

    # Limits

    async def _end(self, job: Job, reason: tuple[Status, str, str]) -> None:
        status, name, description = reason
        await self._enter(job, Transition(status, time.time(), name, description))

    async def _enter(self, job: Job, transition: Transition) -> None:
        if await asyncio.to_thread(self._jobs.enter, job.id, transition):
            log.info("job %s is %s %s %s", job.id, transition.status, transition.reason, transition.description)
            self.schedule(job.id)

    def _set_timer(self, job: Job) -> None:
        """Look at the job again when its time is over."""
        if timer := self._timers.pop(job.id, None):
            timer.cancel()
        if not job.status.is_final and (deadline := _deadline(job)) is not None:
            pause = max(deadline - time.time(), 0.0) + 0.01
            self._timers[job.id] = asyncio.get_running_loop().call_later(pause, self.schedule, job.id)


def _deadline(job: Job) -> float | None:
    """When the job's time is over: to begin, while it is pending, and to run afterwards."""
    if job.status is Status.PENDING:
        return None if job.schedule_timeout is None else job.created_at + job.schedule_timeout
    if job.max_run_time_minutes is None or job.started_at is None:
        return None
    return job.started_at + 60 * job.max_run_time_minutes


def overdue(job: Job) -> tuple[Status, str, str] | None:
    """How a job ends whose time is over, with the reason; None for any other job."""
    deadline = _deadline(job)
    if deadline is None or time.time() < deadline:
        return None
    if job.status is Status.PENDING:
        waited = f"the job did not start within {job.schedule_timeout:g} s: {job.current.description or job.current.reason}"
        return Status.FAILED, "ScheduleTimeout", waited
    return Status.CANCELLED, "LifeSpanExceeded", f"the job has run for {job.max_run_time_minutes} minutes"


def _started_at(pod: Object) -> float:
    """When the container began to run, as far as its status says."""
    state = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    try:
        return datetime.fromisoformat(state["startedAt"]).timestamp()
    except (KeyError, ValueError):
        return time.time()
