"""What has to run again when a call does: by edges where they are known, by order and name where they are not."""

from __future__ import annotations

import pytest

from caudal.model.downstream import Call, named, to_run_again


def calls(*specs: str) -> list[Call]:
    """Return calls made one after the other, each over before the next; ``load-0 < read-0`` takes the result of ``read-0``."""
    made: list[Call] = []
    for place, spec in enumerate(specs):
        path, _, upstream = spec.partition(" < ")
        callee = path.rpartition("/")[2].rpartition("-")[0]
        edges = upstream.split() if upstream else []
        made.append(Call(path, callee, path, place, place + 0.5, 1, edges))
    return made


STRAIGHT = ("read-0", "clean-0", "load-0")
LOOP = ("read-0", "load-0", "read-1", "load-1", "report-0")
EDGES = (
    "read-0",
    "read-1",
    "clean-0 < read-0",
    "clean-1 < read-1",
    "load-0 < clean-0 clean-1",
)
NESTED = ("read-0", "clean-0", "clean-0/trim-0", "clean-0/fill-0", "load-0")


@pytest.mark.parametrize(
    ("made", "chosen", "again"),
    [
        (STRAIGHT, "clean", {"clean-0", "load-0"}),
        (STRAIGHT, "load-0", {"load-0"}),
        (STRAIGHT, "read", set(STRAIGHT)),
        # other rounds of a loop stay, what comes after it does not
        (LOOP, "read-1", {"read-1", "report-0"}),
        (LOOP, "load", {"load-0", "load-1", "report-0"}),
        (EDGES, "clean-1", {"clean-1", "load-0"}),
        (EDGES, "read-0", {"read-0", "clean-0", "load-0"}),
        # those around and in it, and what follows from those
        (NESTED, "trim-0", {"clean-0", "clean-0/trim-0", "clean-0/fill-0", "load-0"}),
        (NESTED, "clean-0/fill-0", {"clean-0", "clean-0/fill-0", "load-0"}),
        (NESTED, "clean-0", {"clean-0", "clean-0/trim-0", "clean-0/fill-0", "load-0"}),
    ],
)  # fmt: skip
def test_what_follows_runs_again(
    made: tuple[str, ...], chosen: str, again: set[str]
) -> None:
    """Nothing else does."""
    found = calls(*made)
    assert to_run_again(found, named(found, chosen)) == again


def test_a_call_made_while_another_one_ran_does_not_follow_from_it() -> None:
    """It cannot have waited for what it wrote."""
    slow, quick = calls("slow-0", "quick-0")
    slow = slow._replace(ended_at=10.0)
    assert to_run_again([slow, quick], {"slow-0"}) == {"slow-0"}
    unknown = slow._replace(run_count=2)
    assert to_run_again([unknown, quick], {"slow-0"}) == {"slow-0", "quick-0"}


def test_an_unknown_name_means_nothing() -> None:
    """Who asks is told so."""
    assert named(calls("read-0"), "nothing") == set()
