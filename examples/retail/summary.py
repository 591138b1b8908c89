"""What a run of the pipeline did, as a value and as a table for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecasting import total_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from exporting import ExportedMart
    from forecasting import StoreForecast
    from validation import RowCounts


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcome of one run of the pipeline."""

    rows_read: int
    rows_loaded: int
    rows_quarantined: int
    marts: Mapping[str, int]
    #: SHA-256 of each mart's CSV file.
    content_hashes: Mapping[str, str]
    #: Backtest errors as shares of sales.
    forecast_error: float
    naive_error: float
    average_error: float
    stores_forecast: int
    #: For each task: how many of its runs came from the cache, and how many there were.
    cached: Mapping[str, tuple[int, int]]
    report: str
    warehouse: str

    def __str__(self) -> str:
        """Return the summary as a table of two columns."""
        rows = [
            ("rows read", f"{self.rows_read:,}"),
            ("rows loaded", f"{self.rows_loaded:,}"),
            ("rows quarantined", f"{self.rows_quarantined:,}"),
            *((f"mart {name}", f"{rows:,} rows") for name, rows in self.marts.items()),
            (
                "forecast error",
                f"{self.forecast_error:.1%} of sales, backtest over {self.stores_forecast} stores",
            ),
            ("  naive: last week", f"{self.naive_error:.1%}"),
            ("  mean of 8 weeks", f"{self.average_error:.1%}"),
            ("from the cache", self._cached_text()),
            ("report", self.report),
            ("warehouse", self.warehouse),
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)

    def _cached_text(self) -> str:
        parts = [
            f"{task} {hits} of {runs}"
            for task, (hits, runs) in self.cached.items()
            if hits
        ]
        return ", ".join(parts) or "nothing"


def summarize(
    counts: Sequence[RowCounts],
    exports: Sequence[ExportedMart],
    forecasts: Sequence[StoreForecast],
    steps: Sequence[Mapping[str, Any]],
    *,
    report: Path,
    warehouse: Path,
) -> Summary:
    """Return the outcome of a run.

    Args:
        counts: Where the rows of each table went.
        exports: The files that were written.
        forecasts: Every store's backtest and forecast.
        steps: The run's steps, each with its ``task`` and ``state``.
        report: Where the report is.
        warehouse: Where the warehouse is.
    """
    errors = total_errors(forecasts)
    return Summary(
        rows_read=sum(count.read for count in counts),
        rows_loaded=sum(count.loaded for count in counts),
        rows_quarantined=sum(count.quarantined for count in counts),
        marts={export.name: export.rows for export in exports},
        content_hashes={export.name: export.content_hash for export in exports},
        forecast_error=errors.share(errors.forecast),
        naive_error=errors.share(errors.naive),
        average_error=errors.share(errors.average),
        stores_forecast=len(forecasts),
        cached=_cached(steps),
        report=str(report),
        warehouse=str(warehouse),
    )


def _cached(steps: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    runs = Counter(run["task"] for run in steps)
    hits = Counter(run["task"] for run in steps if run["state"] == "Cached")
    return {task: (hits[task], count) for task, count in runs.items()}
