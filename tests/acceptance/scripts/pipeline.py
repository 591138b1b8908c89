"""An ordinary flow of five tasks."""

from __future__ import annotations

from oracle import note

from caudal import flow, task


@task
def extract(number: int) -> int:
    """Return a number."""
    return number


@task
def total(numbers: list[int]) -> int:
    """Return the sum."""
    note("total")
    return sum(numbers)


@flow
def pipeline(numbers: int = 4) -> int:
    """Extract numbers and add them."""
    return total.submit(extract.map(range(numbers))).result()


if __name__ == "__main__":
    assert pipeline() == 6
