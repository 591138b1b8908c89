"""Plots as plain HTML and SVG: no script, no font, no request.

Lines and areas are SVG that stretches with the page; every word is HTML beside it, so text keeps its size on a phone.
Colours are from the palette of Okabe and Ito, which people with colour blindness can tell apart; lines also differ in
their dashes. Each plot has a text for those who cannot see it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

BLUE, ORANGE, GREEN, RED, SKY, GREY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#56b4e9",
    "#6b7280",
)

_HEIGHT = 100.0
_TICKS = 4
#: Upper ends of a y axis whose quarters are easy to read.
_TOPS = (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a line chart."""

    name: str
    points: Sequence[tuple[float, float]]
    color: str = BLUE
    #: SVG dash pattern; empty is a solid line.
    dash: str = ""
    #: Whether the area under it is tinted.
    is_area: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a bar chart."""

    label: str
    value: float
    #: The value as people read it.
    text: str
    color: str = BLUE


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of time in a timeline, in seconds since its start."""

    start: float
    end: float
    title: str
    color: str = BLUE


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a timeline."""

    label: str
    text: str
    spans: list[Span] = field(default_factory=list)


def line_chart(
    lines: Sequence[Line],
    description: str,
    *,
    x_labels: Sequence[tuple[float, str]],
    format_value: Callable[[float], str],
    format_x: Callable[[float], str],
) -> str:
    """Return a line chart that starts at zero.

    Args:
        lines: What to draw, the last on top.
        description: What it shows, for screen readers.
        x_labels: Where on the x axis a label stands, and its text.
        format_value: Writes a value of the y axis.
        format_x: Writes a value of the x axis, for the text that appears under the pointer.
    """
    xs = sorted({x for line in lines for x, _ in line.points})
    if len(xs) < 2:  # noqa: PLR2004 - a line has two ends
        return '<p class="note">There is too little data to draw.</p>'
    top = _round_up(
        max((y for line in lines for _, y in line.points), default=0), _TOPS
    )
    low, high = xs[0], xs[-1]

    def across(x: float) -> float:
        return 100 * (x - low) / (high - low)

    def down(y: float) -> float:
        return _HEIGHT - _HEIGHT * y / top

    ticks = [top * step / _TICKS for step in range(_TICKS + 1)]
    grid = "".join(
        f'<line class="grid" x1="0" x2="100" y1="{down(tick):.2f}" y2="{down(tick):.2f}"/>'
        for tick in ticks
    )
    shapes = "".join(_line_shape(line, across, down) for line in lines)
    hovers = _hover_areas(lines, xs, across, format_value, format_x)
    y_axis = "".join(
        f'<span style="bottom:{100 * tick / top:.1f}%">{escape(format_value(tick))}</span>'
        for tick in ticks
    )
    x_axis = "".join(
        f'<span style="left:{across(x):.2f}%">{escape(text)}</span>'
        for x, text in x_labels
    )
    return (
        f'<div class="plot" role="img" aria-label="{escape(description)}">{_legend(lines)}'
        f'<div class="y-axis" aria-hidden="true">{y_axis}</div>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{grid}{shapes}{hovers}</svg>'
        f'<div class="x-axis" aria-hidden="true">{x_axis}</div></div>'
    )


def bar_chart(bars: Sequence[Bar]) -> str:
    """Return horizontal bars, each with its label and value as text."""
    longest = max((bar.value for bar in bars), default=0) or 1
    rows = "".join(
        f'<tr><th scope="row">{escape(bar.label)}</th>'
        f'<td class="track"><i style="width:{100 * bar.value / longest:.1f}%;background:{bar.color}"></i></td>'
        f'<td class="value">{escape(bar.text)}</td></tr>'
        for bar in bars
    )
    return f'<table class="bars">{rows}</table>'


def timeline(rows: Sequence[Row], seconds: float) -> str:
    """Return a timeline with one row for each kind of step.

    Args:
        rows: The steps, in the order in which they began.
        seconds: Length of the time axis.
    """
    seconds = seconds or 1.0
    body = "".join(
        f'<tr><th scope="row">{escape(row.label)}</th><td class="track">{_spans(row.spans, seconds)}</td>'
        f'<td class="value">{escape(row.text)}</td></tr>'
        for row in rows
    )
    step = _round_up(seconds / _TICKS, (1, 2, 5))
    marks = [step * index for index in range(int(seconds / step) + 1)]
    axis = "".join(
        f'<span style="left:{100 * mark / seconds:.2f}%">{mark:g} s</span>'
        for mark in marks
    )
    head = f'<tr aria-hidden="true"><th></th><td class="track"><div class="x-axis">{axis}</div></td><td></td></tr>'
    return f'<table class="bars timeline">{body}{head}</table>'


def _line_shape(
    line: Line, across: Callable[[float], float], down: Callable[[float], float]
) -> str:
    points = " ".join(f"{across(x):.2f},{down(y):.2f}" for x, y in line.points)
    shape = f'<polyline points="{points}" stroke="{line.color}" stroke-dasharray="{line.dash}"/>'
    if line.is_area and line.points:
        first, last = across(line.points[0][0]), across(line.points[-1][0])
        area = f"{first:.2f},{_HEIGHT:g} {points} {last:.2f},{_HEIGHT:g}"
        shape = f'<polygon points="{area}" fill="{line.color}"/>{shape}'
    return shape


def _hover_areas(
    lines: Sequence[Line],
    xs: Sequence[float],
    across: Callable[[float], float],
    format_value: Callable[[float], str],
    format_x: Callable[[float], str],
) -> str:
    """Return an invisible strip for each x, whose tooltip names the values there."""
    values = [(line.name, dict(line.points)) for line in lines]
    width = 100 / (len(xs) - 1)
    strips: list[str] = []
    for x in xs:
        said = [f"{name}: {format_value(at[x])}" for name, at in values if x in at]
        title = escape("\n".join([format_x(x), *said]))
        strips.append(
            f'<rect class="hover" x="{across(x) - width / 2:.2f}" y="0" width="{width:.2f}" height="100"><title>{title}</title></rect>'
        )
    return "".join(strips)


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) == 1:
        return ""
    items = "".join(
        f'<li><svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"><line x1="0" x2="28" y1="4" y2="4" stroke="{line.color}" '
        f'stroke-width="2.5" stroke-dasharray="{line.dash}"/></svg>{escape(line.name)}</li>'
        for line in lines
    )
    return f'<ul class="legend">{items}</ul>'


def _spans(spans: Iterable[Span], seconds: float) -> str:
    return "".join(
        f'<i style="left:{100 * span.start / seconds:.2f}%;width:{max(100 * (span.end - span.start) / seconds, 0.25):.2f}%;'
        f'background:{span.color}" title="{escape(span.title)}"></i>'
        for span in spans
    )


def _round_up(value: float, steps: Sequence[float]) -> float:
    """Return the least number that is not below a value and is one of the steps times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (*steps, 10) if step * power >= value)
