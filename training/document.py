"""A report as values: sections of words, tables and pictures, written as HTML or as Markdown."""

import base64
import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relimit.data.atomic import staged
from relimit.training.discrimination import Interval

Cell = str | int | float | Interval | None


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning that must not be overlooked."""

    text: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; a cell that is NaN or None has no value."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with the words that stand for it."""

    caption: str
    png: bytes


Block = str | Notice | Grid | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what is under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A report."""

    title: str
    sections: tuple[Section, ...]


STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d0d7de; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 13px; display: block;
  overflow-x: auto; }
caption, figcaption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; border-bottom: 1px solid #eaeef2; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1rem 0; } img { max-width: 100%; }
.notice { border-left: 4px solid #9a3412; background: #fff7ed; padding: .5rem 1rem; }
"""
POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Browsers then load nothing from elsewhere, whatever the text holds."""


def to_html(document: Document, language: str = "en") -> str:
    """Return one self-contained page: no script, nothing loaded, every text escaped."""
    title = html.escape(document.title)
    body = "\n".join(_html_section(section) for section in document.sections)
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )


def to_markdown(document: Document) -> str:
    """Return the words and tables as Markdown; pictures are left out."""
    parts = [f"# {_markdown(document.title)}"]
    for section in document.sections:
        parts.append(f"## {_markdown(section.title)}")
        parts += [_markdown_block(b) for b in section.blocks if not isinstance(b, Picture)]
    return "\n\n".join(parts) + "\n"


def write_texts(texts: Mapping[str, str], folder: Path) -> None:
    """Write each text as UTF-8 into a folder, each file whole or not at all.

    Raises
    ------
    DataError
        The system refuses to write.
    """
    for name, text in texts.items():
        with staged(folder / name) as staging:
            staging.write_text(text, encoding="utf-8")


def show(value: Cell) -> str:
    """Return a cell as people read it.

    Examples
    --------
    >>> show(12345), show(0.123456), show(float("nan")), show(Interval(0.75, 0.7, 0.8))
    ('12,345', '0.1235', '–', '0.7500 (0.7000 to 0.8000)')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Interval):
        if not math.isfinite(value.value):
            return "–"
        return f"{show(value.value)} ({show(value.low)} to {show(value.high)})"
    if value is None or math.isnan(value):
        return "–"
    if isinstance(value, int) or not math.isfinite(value):
        return f"{value:,}"
    text = f"{value:,.4f}" if abs(value) < 100 else f"{value:,.0f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0.0 else text


def _html_section(section: Section) -> str:
    blocks = "\n".join(_html_block(block) for block in section.blocks)
    return f"<section>\n<h2>{html.escape(section.title)}</h2>\n{blocks}\n</section>"


def _html_block(block: Block) -> str:
    if isinstance(block, Notice):
        return f'<p class="notice" role="note">{html.escape(block.text)}</p>'
    if isinstance(block, Grid):
        return _html_grid(block)
    if isinstance(block, Picture):
        caption, data = html.escape(block.caption), base64.b64encode(block.png).decode("ascii")
        image = f'<img alt="{caption}" src="data:image/png;base64,{data}">'
        return f"<figure>\n<figcaption>{caption}</figcaption>\n{image}\n</figure>"
    return f"<p>{html.escape(block)}</p>"


def _html_grid(grid: Grid) -> str:
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in grid.columns)
    rows = "\n".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in grid.rows)
    caption = html.escape(grid.caption)
    return f"<table>\n<caption>{caption}</caption>\n<tr>{head}</tr>\n{rows}\n</table>"


def _html_cell(value: Cell) -> str:
    kind = "" if isinstance(value, str) else ' class="number"'
    return f"<td{kind}>{html.escape(show(value))}</td>"


def _markdown_block(block: Block) -> str:
    if isinstance(block, Notice):
        return f"> **Warning:** {_markdown(block.text)}"
    if isinstance(block, Grid):
        lines = [block.columns, tuple("---" for _ in block.columns), *block.rows]
        table = "\n".join(
            "| " + " | ".join(_markdown(show(x)) for x in row) + " |" for row in lines
        )
        return f"**{_markdown(block.caption)}**\n\n{table}"
    return _markdown(str(block))


def _markdown(text: str) -> str:
    """Escape what would be markup or would end a cell."""
    plain = " ".join(text.split())
    for sign in ("\\", "|", "*", "_", "`", "<", "["):
        plain = plain.replace(sign, f"\\{sign}")
    return plain
