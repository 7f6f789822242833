"""Plots as SVG: axes with round ticks and a few kinds of marks, in the units of the data.

A plotting library spends a fifth of a second on each small picture, on ticks and fonts for the
most part. A report has eight of them, and needs lines, dots and bars.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

COLOURS: Final = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b")
GREY: Final = "#8c959f"
FONT: Final = 11
TICKS: Final = 6
TICK_LENGTH: Final = 4
LEGEND_LINE: Final = 15
DASHES: Final = ' stroke-dasharray="4 3"'

Range = tuple[float, float]


@dataclass(slots=True)
class Plot:
    """One pair of axes that marks are added to.

    Attributes
    ----------
    x, y
        The ranges that are shown.
    width, height
        Of the whole, in pixels.
    left, bottom, top, right
        Room for labels around the axes, in pixels.
    title, x_label, y_label
        Words.
    x_ticks, y_ticks
        Places that have names; None: round numbers.
    slanted
        Whether the names under the axis stand at a slant, for long ones.
    """

    x: Range
    y: Range
    width: float = 440.0
    height: float = 336.0
    left: float = 62.0
    bottom: float = 46.0
    top: float = 24.0
    right: float = 16.0
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    x_ticks: Sequence[tuple[float, str]] | None = None
    y_ticks: Sequence[tuple[float, str]] | None = None
    slanted: bool = False
    _marks: list[str] = field(default_factory=list, init=False)
    _legend: list[tuple[str, str]] = field(default_factory=list, init=False)

    def line(
        self,
        x: ArrayLike,
        y: ArrayLike,
        colour: str,
        *,
        dashed: bool = False,
        dotted: bool = False,
        label: str = "",
    ) -> None:
        """Join points in their order; `dotted` marks each, `label` stands in the legend."""
        path = f"M{'L'.join(self._points(x, y))}"
        dash = DASHES if dashed else ""
        self._marks.append(f'<path d="{path}" fill="none" stroke="{colour}"{dash}/>')
        if dotted:
            self.dots(x, y, colour)
        self._name(label, colour)

    def dots(self, x: ArrayLike, y: ArrayLike, colour: str, *, size: float = 5.0) -> None:
        """Draw a dot a point; points that are not finite have none."""
        at = "h0M".join(self._points(x, y))
        if at:
            self._marks.append(
                f'<path d="M{at}h0" stroke="{colour}" stroke-width="{size:g}" '
                'stroke-linecap="round"/>'
            )

    def bars(self, edges: ArrayLike, heights: ArrayLike, colour: str, *, label: str = "") -> None:
        """Draw see-through bars on the lower end of the axes, `[k + 1]` edges, `[k]` heights."""
        x, y = np.repeat(np.asarray(edges), 2), np.repeat(np.asarray(heights), 2)
        path = "L".join(self._points(x, np.concatenate([[self.y[0]], y, [self.y[0]]])))
        self._marks.append(f'<path d="M{path}Z" fill="{colour}" fill-opacity="0.5"/>')
        self._name(label, colour)

    def limits(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, colour: str) -> None:
        """Draw an upright line a point from its lower to its upper limit."""
        pairs = zip(self._points(x, low), self._points(x, high), strict=True)
        path = "".join(f"M{a}L{b}" for a, b in pairs)
        self._marks.append(f'<path d="{path}" stroke="{colour}"/>')

    def svg(self) -> str:
        """Return the whole picture."""
        return page([self], columns=1)

    def body(self) -> str:
        """Return what is drawn, without the page."""
        left, right = self.left, self.width - self.right
        top, bottom = self.top, self.height - self.bottom
        frame = f"M{left:g} {top:g}V{bottom:g}H{right:g}"
        middle_x, middle_y = (left + right) / 2.0, (top + bottom) / 2.0
        parts = [
            *self._marks,
            f'<path d="{frame}" fill="none" stroke="{GREY}"/>',
            *self._ticks_below(bottom),
            *self._ticks_aside(left),
            _text(self.title, middle_x, top - 9.0, "middle"),
            _text(self.x_label, middle_x, self.height - 6.0, "middle"),
            _text(self.y_label, 14.0, middle_y, "middle", turned=-90),
        ]
        for place, (label, colour) in enumerate(self._legend):
            y = top + 8.0 + LEGEND_LINE * place
            parts.append(f'<path d="M{left + 8:g} {y:g}h14" stroke="{colour}" stroke-width="4"/>')
            parts.append(_text(label, left + 28.0, y + 4.0))
        return "".join(parts)

    def _name(self, label: str, colour: str) -> None:
        if label:
            self._legend.append((label, colour))

    def _points(self, x: ArrayLike, y: ArrayLike) -> list[str]:
        """Return `x y` in pixels; neighbours within a tenth of a pixel are one point."""
        across, up = self._places(x, y)
        at = np.round(np.column_stack([across, up]), 1)
        at = at[np.isfinite(at).all(axis=1)]
        kept = np.ones(len(at), np.bool_)
        kept[1:] = (at[1:] != at[:-1]).any(axis=1)
        return [f"{a:g} {b:g}" for a, b in at[kept].tolist()]

    def _places(
        self, x: ArrayLike, y: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        width, height = (
            self.width - self.left - self.right,
            self.height - self.top - self.bottom,
        )
        share_x, share_y = (
            (np.asarray(values, np.float64) - low) / (high - low)
            for values, (low, high) in ((x, self.x), (y, self.y))
        )
        return self.left + width * share_x, self.top + height * (1.0 - share_y)

    def _ticks_below(self, bottom: float) -> list[str]:
        ticks = round_ticks(self.x) if self.x_ticks is None else self.x_ticks
        across = self._places([value for value, _ in ticks], [self.y[0]] * len(ticks))[0].tolist()
        anchor, turned = ("end", -45) if self.slanted else ("middle", 0)
        return [
            f'<path d="M{x:.1f} {bottom:g}v{TICK_LENGTH}" stroke="{GREY}"/>'
            + _text(name, x, bottom + 16.0, anchor, turned=turned)
            for x, (_, name) in zip(across, ticks, strict=True)
        ]

    def _ticks_aside(self, left: float) -> list[str]:
        ticks = round_ticks(self.y) if self.y_ticks is None else self.y_ticks
        up = self._places([self.x[0]] * len(ticks), [value for value, _ in ticks])[1].tolist()
        return [
            f'<path d="M{left:g} {y:.1f}h-{TICK_LENGTH}" stroke="{GREY}"/>'
            + _text(name, left - 7.0, y + 4.0, "end")
            for y, (_, name) in zip(up, ticks, strict=True)
        ]


def page(plots: Sequence[Plot], *, columns: int) -> str:
    """Return plots of one size as one SVG, so many to a line."""
    width, height = plots[0].width, plots[0].height
    lines = -(-len(plots) // columns)
    parts = [
        f'<g transform="translate({width * (i % columns):g} {height * (i // columns):g})">'
        f"{plot.body()}</g>"
        for i, plot in enumerate(plots)
    ]
    whole = f"{width * min(columns, len(plots)):g}", f"{height * lines:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole[0]}" height="{whole[1]}" '
        f'viewBox="0 0 {whole[0]} {whole[1]}" font-family="system-ui, sans-serif" '
        f'font-size="{FONT}" fill="#1b1f24">{"".join(parts)}</svg>'
    )


def around(*values: ArrayLike, margin: float = 0.05) -> Range:
    """Return a range that holds all finite values, with some room beyond."""
    held = np.concatenate([np.ravel(np.asarray(part, np.float64)) for part in values])
    held = held[np.isfinite(held)]
    if not held.size:
        return 0.0, 1.0
    low, high = float(held.min()), float(held.max())
    room = margin * (high - low) or max(abs(high), 1.0) * margin
    return low - room, high + room


def round_ticks(shown: Range, most: int = TICKS) -> list[tuple[float, str]]:
    """Return up to so many round numbers of a range, with their names.

    Examples
    --------
    >>> round_ticks((-0.1, 0.52))
    [(0.0, '0'), (0.2, '0.2'), (0.4, '0.4')]
    """
    least = (shown[1] - shown[0]) / most
    power = 10.0 ** np.floor(np.log10(least))
    step = float(power * next(f for f in (1.0, 2.0, 5.0, 10.0) if f * power >= least))
    first, last = int(np.ceil(shown[0] / step)), int(np.floor(shown[1] / step))
    return [(step * i, f"{step * i:.6g}") for i in range(first, last + 1)]


def _text(words: str, x: float, y: float, anchor: str = "start", *, turned: int = 0) -> str:
    if not words:
        return ""
    turn = f' transform="rotate({turned} {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>{escape(words)}</text>'
