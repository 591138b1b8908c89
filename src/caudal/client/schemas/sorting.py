"""Orders of lists."""

from __future__ import annotations

from enum import StrEnum

from caudal.model.search import Order


class FlowRunSort(StrEnum):
    """Orders of flow runs."""

    ID_DESC = "ID_DESC"
    START_TIME_ASC = "START_TIME_ASC"
    START_TIME_DESC = "START_TIME_DESC"
    EXPECTED_START_TIME_ASC = "EXPECTED_START_TIME_ASC"
    EXPECTED_START_TIME_DESC = "EXPECTED_START_TIME_DESC"
    NAME_ASC = "NAME_ASC"
    NAME_DESC = "NAME_DESC"
    END_TIME_DESC = "END_TIME_DESC"


class TaskRunSort(StrEnum):
    """Orders of task runs."""

    ID_ASC = "ID_ASC"
    ID_DESC = "ID_DESC"
    EXPECTED_START_TIME_ASC = "EXPECTED_START_TIME_ASC"
    EXPECTED_START_TIME_DESC = "EXPECTED_START_TIME_DESC"
    NAME_ASC = "NAME_ASC"
    NAME_DESC = "NAME_DESC"
    END_TIME_DESC = "END_TIME_DESC"


class LogSort(StrEnum):
    """Orders of log lines."""

    TIMESTAMP_ASC = "TIMESTAMP_ASC"
    TIMESTAMP_DESC = "TIMESTAMP_DESC"


_FIELDS = {
    "ID": "id",
    "START_TIME": "started_at",
    "EXPECTED_START_TIME": "id",  # ids sort by the time at which they were made
    "NAME": "name",
    "END_TIME": "ended_at",
}


def order_of(sort: str) -> Order:
    """Return what an order means in the ledger."""
    name, _, direction = sort.rpartition("_")
    return Order(_FIELDS[name], direction == "DESC")
