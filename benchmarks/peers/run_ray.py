"""Ray: remote functions on a local node with two processors; nothing is durable."""

from __future__ import annotations

import ray
import report

TASKS = report.tasks(5_000)


@ray.remote
def same(number: int) -> int:
    """Return the number."""
    return number


def gathered() -> None:
    """Run the tasks and fetch their results."""
    assert sum(ray.get([same.remote(number) for number in range(TASKS)])) == sum(
        range(TASKS)
    )


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
report.show(
    version=ray.__version__,
    tasks=TASKS,
    task_seconds=report.median(lambda: report.timed(gathered) / TASKS),
)
ray.shutdown()
