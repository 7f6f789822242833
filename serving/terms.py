"""The published terms as pages."""

from collections.abc import Mapping
from pathlib import Path

from relimit.policy import Terms
from relimit.policy.card import TermsSection
from relimit.training.document import (
    Block,
    Document,
    Grid,
    Section,
    to_html,
    to_markdown,
    write_texts,
)


def write_card(terms: Mapping[str, Terms], out: Path) -> None:
    """Write `card_<language>.md` and `.html` into a folder.

    Raises
    ------
    DataError
        The system refuses to write.
    """
    out.mkdir(parents=True, exist_ok=True)
    texts = {}
    for language, written in terms.items():
        page = page_of(written)
        texts[f"card_{language}.md"] = to_markdown(page)
        texts[f"card_{language}.html"] = to_html(page, language)
    write_texts(texts, out)


def page_of(terms: Terms) -> Document:
    """Return the terms as a document."""
    return Document(terms.title, tuple(_section(section) for section in terms.sections))


def _section(section: TermsSection) -> Section:
    blocks: list[Block] = list(section.sentences)
    if section.table is not None:
        table = section.table
        blocks.append(Grid(table.caption, table.columns, table.rows))
    return Section(section.title, tuple(blocks))
