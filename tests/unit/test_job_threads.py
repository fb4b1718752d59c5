"""The threads of a worker: how many jobs it takes, and what it leaves."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest

from app.worker.job_threads import JobThreads
from tests.support.waiting import wait_until

IDS = [uuid.UUID(int=number) for number in range(1, 7)]


class Jobs:
    """Each waits until it may end."""

    def __init__(self) -> None:
        self.begun: list[uuid.UUID] = []
        self.may_end = threading.Semaphore(0)

    def run(self, job_id: uuid.UUID) -> None:
        self.begun.append(job_id)
        assert self.may_end.acquire(timeout=30)
        if job_id == IDS[0]:
            raise RuntimeError("a fault of ours")


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs()
    yield made
    made.may_end.release(len(IDS))


def test_a_busy_worker_takes_no_more_than_it_can_run_soon(jobs: Jobs) -> None:
    """Breaks when it takes all: the other workers would have nothing to do. A job that raises frees its thread, too."""
    threads = JobThreads(jobs.run, 2)
    taken: list[uuid.UUID] = []

    def hand_over() -> None:
        for job_id in IDS:
            threads.start(job_id)
            taken.append(job_id)

    sender = threading.Thread(target=hand_over)
    sender.start()
    wait_until(lambda: len(taken) == 4 and len(jobs.begun) == 2, "two that run and two that wait")
    sender.join(0.2)
    assert taken == IDS[:4] and jobs.begun == IDS[:2]
    jobs.may_end.release(2)
    wait_until(lambda: taken == IDS and len(jobs.begun) == 4, "the next two")
    jobs.may_end.release(4)
    wait_until(lambda: sorted(jobs.begun) == IDS, "all of them")
    sender.join(10)
    threads.stop()


def test_a_worker_that_stops_ends_what_runs_and_leaves_what_waits(jobs: Jobs) -> None:
    threads = JobThreads(jobs.run, 1)
    threads.start(IDS[1])
    threads.start(IDS[2])
    wait_until(lambda: jobs.begun == [IDS[1]], "the first to run")
    stopping = threading.Thread(target=threads.stop)
    stopping.start()
    stopping.join(0.2)
    assert stopping.is_alive()
    jobs.may_end.release(2)
    stopping.join(10)
    assert not stopping.is_alive() and jobs.begun == [IDS[1]]
