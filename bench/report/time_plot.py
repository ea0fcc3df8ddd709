"""Plots over time as a measurement window shows them: tracks stacked on one time axis, states as coloured bands below.

``page.js`` gives all figures of a report that are in the same ``group`` one cursor and one zoom, and writes the values at the
cursor beside the names of the curves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from bench.report.extra import import_extra

MOST_POINTS = 5000  # of one curve: more than a screen has pixels
TRACK_HEIGHT = 150  # [px]
TITLE_HEIGHT = 26  # [px] above every track
BAND_HEIGHT = 22  # [px]
BAND_GAP = 10  # [px] above the bands
MARGIN = {"l": 56, "r": 12, "t": 2, "b": 30}  # [px] fixed, so that all time axes of a report lie one below the other

FRONT = "#3b82d6"
REAR = "#e07a1f"
CAR = "#2f9e6b"  # what concerns the whole car
DRIVER = "#8a93a3"  # what somebody wants
LIMIT = "#d9434b"
EXTRA = "#9068d0"
OTHER = "#1fa3b5"
PALETTE = (FRONT, REAR, CAR, EXTRA, OTHER, LIMIT, DRIVER)


@dataclass(frozen=True)
class Line:
    """One curve over ``times`` [s]."""

    name: str
    times: Any
    values: Any
    colour: str
    dash: str = "solid"
    width: float = 1.6


@dataclass(frozen=True)
class Shade:
    """The area between two curves over ``times`` [s], to draw attention to it."""

    times: Any
    lower: Any
    upper: Any
    colour: str = "rgba(217, 67, 75, 0.45)"


@dataclass(frozen=True)
class Track:
    """Curves on one y axis; ``title`` carries the unit.

    ``include`` holds values that the axis shows in any case, so that noise around zero does not fill it.
    """

    title: str
    lines: tuple[Line, ...]
    shades: tuple[Shade, ...] = ()
    height: int = TRACK_HEIGHT  # [px]
    include: tuple[float, ...] = ()


@dataclass(frozen=True)
class Band:
    """A state over ``times`` [s] as a coloured strip: ``codes`` are keys of ``labels``, which give name and colour.

    A code without a label leaves the strip empty.
    """

    name: str
    times: Any
    codes: Any
    labels: dict[int, tuple[str, str]]


def labels_of(states: type[IntEnum]) -> dict[int, tuple[str, str]]:
    """Name and colour of every state of an enumeration."""
    return {int(state): (state.name.replace("_", " "), PALETTE[k % len(PALETTE)]) for k, state in enumerate(states)}


def flag_band(name: str, times: Any, flags: Any, colour: str) -> Band:
    """A strip that is coloured where the flag is set."""
    return Band(name, times, flags, {1: ("yes", colour)})


def time_figure(
    tracks: Sequence[Track],
    bands: Sequence[Band] = (),
    *,
    window: tuple[float, float] | None = None,
    grey_until: float | None = None,
    group: str = "time",
) -> Any:
    """A plotly figure of tracks from top to bottom, and bands below.

    ``window`` is the time [s] that is shown at first; what lies before ``grey_until`` [s] is set back. Figures of one
    ``group`` share cursor and zoom.
    """
    figure = import_extra("plotly.graph_objects").Figure()
    parts = [(TITLE_HEIGHT, track.height) for track in tracks]
    if bands:
        parts.append((BAND_GAP, BAND_HEIGHT * len(bands)))
    domains = _domains(parts)
    for number, (track, domain) in enumerate(zip(tracks, domains, strict=False), start=1):
        _add_track(figure, track, number, domain)
    if bands:
        _add_bands(figure, bands, len(tracks) + 1, domains[-1])
    figure.update_layout(
        height=sum(map(sum, parts)) + MARGIN["t"] + MARGIN["b"],
        margin=MARGIN,
        showlegend=False,
        hovermode=False,
        dragmode="zoom",
        meta={"group": group},
        xaxis={"anchor": f"y{len(parts)}", "range": window, "ticksuffix": " s", "zeroline": False},
    )
    if grey_until is not None:
        grey = {"fillcolor": "rgba(128, 128, 128, 0.13)", "line_width": 0, "layer": "below"}
        begin = min(float(line.times[0]) for track in tracks for line in track.lines)
        figure.add_shape(type="rect", xref="x", yref="paper", x0=begin, x1=grey_until, y0=0, y1=1, **grey)
    return figure


def _domains(parts: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Share of the plot's height that each part takes, bottom and top.

    ``parts`` are free space above and height [px] of each, from the top.
    """
    total = sum(map(sum, parts))
    domains = []
    top = total
    for space, height in parts:
        bottom = top - space - height
        domains.append((bottom / total, (top - space) / total))
        top = bottom
    return domains


def _add_track(figure: Any, track: Track, number: int, domain: tuple[float, float]) -> None:
    axis = f"y{number}"
    for shade in track.shades:
        _add_shade(figure, shade, axis)
    for line in track.lines:
        kept = thin(line.values)
        figure.add_scatter(
            x=np.asarray(line.times)[kept].astype(np.float32),
            y=np.asarray(line.values)[kept].astype(np.float32),
            name=line.name,
            mode="lines",
            line={"color": line.colour, "dash": line.dash, "width": line.width},
            yaxis=axis,
        )
    shown = {"include": track.include} if track.include else None
    figure.update_layout({f"yaxis{number}": {"domain": domain, "anchor": "x", "nticks": 6, "autorangeoptions": shown}})
    # Above its track a title reads more easily than turned round, and fits any height.
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": domain[1], "xanchor": "left", "yanchor": "bottom"}
    figure.add_annotation(text=f"<b>{track.title}</b>", showarrow=False, xshift=1, yshift=1, **place)


def _add_shade(figure: Any, shade: Shade, axis: str) -> None:
    kept = thin(np.asarray(shade.upper) - np.asarray(shade.lower))
    outline = {"mode": "lines", "line": {"width": 0}, "yaxis": axis, "meta": {"silent": True}}
    times = np.asarray(shade.times)[kept].astype(np.float32)
    figure.add_scatter(x=times, y=np.asarray(shade.lower)[kept].astype(np.float32), **outline)
    upper = np.asarray(shade.upper)[kept].astype(np.float32)
    figure.add_scatter(x=times, y=upper, fill="tonexty", fillcolor=shade.colour, **outline)


def _add_bands(figure: Any, bands: Sequence[Band], number: int, domain: tuple[float, float]) -> None:
    for row, band in enumerate(bands):
        width = BAND_HEIGHT - 6
        ground = {
            "mode": "lines",
            "line": {"color": "rgba(128, 128, 128, 0.15)", "width": width},
            "meta": {"silent": True, "ground": True},
        }
        figure.add_scatter(x=[band.times[0], band.times[-1]], y=[row, row], yaxis=f"y{number}", **ground)
        stretches = _stretches(np.asarray(band.times), np.asarray(band.codes))
        for code, (name, colour) in band.labels.items():
            ends = [(begin, end) for begin, end, value in stretches if value == code]
            # A label that never occurs still stands for its strip, so that the cursor finds every strip.
            figure.add_scatter(
                x=[time for begin, end in ends for time in (begin, end, None)],
                y=[level for _ in ends for level in (row, row, None)],
                name=name,
                mode="lines",
                line={"color": colour, "width": width},
                yaxis=f"y{number}",
                meta={"band": band.name, "row": row},
            )
    axis = {
        "domain": domain,
        "anchor": "x",
        "range": (len(bands) - 0.5, -0.5),
        "fixedrange": True,
        "showticklabels": False,
        "showgrid": False,
        "zeroline": False,
    }
    figure.update_layout({f"yaxis{number}": axis})


def _stretches(times: Any, codes: Any) -> list[tuple[float, float, int]]:
    """Begin [s], end [s] and code of every stretch in which the code stays the same."""
    if not len(codes):
        return []
    changes = np.flatnonzero(np.diff(codes)) + 1
    begins = np.concatenate([[0], changes])
    ends = np.concatenate([changes, [len(codes) - 1]])
    return [(float(times[a]), float(times[b]), int(codes[a])) for a, b in zip(begins, ends, strict=True)]


def thin(values: Any, most: int = MOST_POINTS) -> Any:
    """Indices of at most about ``most`` values that look like all of them: lowest and highest of every stretch.

    A stretch without any number keeps a gap.
    """
    values = np.asarray(values, dtype=np.float64)
    count = len(values)
    if count <= most:
        return np.arange(count)
    length = -(-count // (most // 2))
    padded = np.pad(values, (0, -count % length), mode="edge").reshape(-1, length)
    first = np.arange(len(padded)) * length
    lowest = first + np.argmin(np.where(np.isnan(padded), np.inf, padded), axis=1)
    highest = first + np.argmax(np.where(np.isnan(padded), -np.inf, padded), axis=1)
    return np.unique(np.clip(np.concatenate([[0], lowest, highest, [count - 1]]), 0, count - 1))
