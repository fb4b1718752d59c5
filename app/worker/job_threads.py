"""The threads that a worker runs its jobs on."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

import structlog

log = structlog.get_logger("jobs")


class JobThreads:
    """Runs jobs by their ids, `count` at once; as many more may wait. `run` may raise: the row says what becomes of the job."""

    def __init__(self, run: Callable[[uuid.UUID], None], count: int) -> None:
        self._run_job = run
        self._slots = BoundedSemaphore(2 * count)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="job")

    def start(self, job_id: uuid.UUID) -> None:
        """Run it as soon as a thread is free. Waits while too many do: a worker that is busy takes no jobs that another could run."""
        self._slots.acquire()
        self._threads.submit(self._run, job_id)

    def stop(self) -> None:
        """Jobs that run come to their end; those that wait are not run."""
        self._threads.shutdown(cancel_futures=True)

    def _run(self, job_id: uuid.UUID) -> None:
        try:
            self._run_job(job_id)
        except Exception:
            log.exception("job.not_run", job=str(job_id))  # it is due, or will be when its lease has ended
        finally:
            self._slots.release()
