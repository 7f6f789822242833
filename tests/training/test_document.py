"""Reports as pages: whatever a text holds, it is shown and nothing is loaded."""

from html.parser import HTMLParser

import pytest

from relimit.data.errors import DataError
from relimit.training.discrimination import Interval
from relimit.training.document import (
    Document,
    Grid,
    Notice,
    Picture,
    Section,
    show,
    to_html,
    to_markdown,
    write_texts,
)

HOSTILE = "<script src='https://evil.example/x.js'>alert(1)</script> & \"a\" | *b* [c](d) `e`"


class Reader(HTMLParser):
    """Collects the page's tags, attributes and text."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture
def hostile():
    grid = Grid(HOSTILE, (HOSTILE, "n"), ((HOSTILE, 1), ("x", float("nan"))))
    blocks = (HOSTILE, Notice(HOSTILE), grid, Picture(HOSTILE, b"\x89PNG"))
    return Document(HOSTILE, (Section(HOSTILE, blocks),))


def test_every_text_is_escaped_and_nothing_is_loaded_from_elsewhere(hostile):
    reader = read(to_html(hostile))
    assert not {"script", "link", "iframe", "object", "base"} & set(reader.tags)
    loaded = [value for name, value in reader.attributes if name in ("src", "href", "srcset")]
    assert loaded == ["data:image/png;base64,iVBORw=="]
    assert "".join(reader.text).count(HOSTILE) == 9
    assert dict(reader.attributes)["alt"] == HOSTILE


def test_markdown_keeps_its_tables_and_holds_no_markup_of_others(hostile):
    text = to_markdown(hostile)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line.replace("\\|", "").count("|") for line in rows] == [3, 3, 3, 3]
    for sign in ("|", "*", "_", "`", "<", "["):
        assert text.replace("\\|", "").replace("**", "").replace("\\" + sign, "").count(sign) == (
            12 if sign == "|" else 0
        )
    assert "**Warning:**" in text


def test_cells_are_shown_as_people_read_them():
    shown = [show(x) for x in (1234, 0.5, 1234.5, None, float("nan"), float("inf"), "a")]
    assert shown == ["1,234", "0.5000", "1,234", "–", "–", "inf", "a"]
    assert show(Interval(float("nan"), 0.0, 1.0)) == "–"


def test_what_is_nearly_nothing_has_no_sign():
    assert show(-0.00001) == show(0.0) == "0.0000"
    assert show(-0.001) == "-0.0010"
    assert show(Interval(0.0, -0.00001, 0.00001)) == "0.0000 (0.0000 to 0.0000)"


def test_texts_are_written_whole_or_not_at_all(tmp_path):
    write_texts({"a.md": "¥ 还款"}, tmp_path / "new")
    assert (tmp_path / "new" / "a.md").read_text(encoding="utf-8") == "¥ 还款"
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="can't be written"):
        write_texts({"a.md": "x"}, tmp_path / "file")
