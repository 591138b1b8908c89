"""Dask: a mapped task on a local cluster of two threads in this process; nothing is durable."""

from __future__ import annotations

import distributed
import report

TASKS = report.tasks(2_000)


def same(number: int, again: int) -> int:
    """Return the number; the second one makes the call a new one for Dask, which would reuse the old result."""
    return number + again * 0


if __name__ == "__main__":
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        rounds = iter(range(100))

        def gathered() -> None:
            """Run the tasks and fetch their results."""
            futures = client.map(same, range(TASKS), again=next(rounds))
            assert sum(client.gather(futures)) == sum(range(TASKS))

        report.show(
            version=distributed.__version__,
            tasks=TASKS,
            task_seconds=report.median(lambda: report.timed(gathered) / TASKS),
        )
