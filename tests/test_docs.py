"""The pages under docs/ name everything that other programs may rely on."""

import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from relimit.data.schema import decisions_log_schema, events_schema, observations_schema
from relimit.data.vocabulary import KINDS, STATUSES
from relimit.policy.decisions import decisions_schema
from relimit.policy.next_due import PAY_NEXT_DUE
from relimit.policy.reasons import REASONS
from relimit.policy.remedies import STEPS, WAIT_FOR_CLEARING
from relimit.serving.cli import COMMANDS
from relimit.serving.commands.policy import COMMANDS as POLICY_COMMANDS
from relimit.serving.earlier import open_schema
from relimit.serving.quarantine import quarantine_schema

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
PAGES = sorted(
    page
    for folder in (ROOT, ROOT / "docs")
    for page in folder.glob("*.md")
    if page.stem != "features"
)


def section(title: str) -> str:
    """The text of one `##` section of design.md."""
    return DESIGN.split(f"\n## {title}\n")[1].split("\n## ")[0]


def words(text: str) -> set[str]:
    """Every word in backticks, those of a list apart, outside blocks of code."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"\w+", code)}


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Tables (Parquet)", KINDS),
        ("Tables (Parquet)", events_schema().names),
        ("Tables (Parquet)", decisions_log_schema().names),
        ("Tables (Parquet)", observations_schema().names),
        ("The decision", decisions_schema().names),
        ("The decision", STATUSES),
        ("The decision", REASONS),
        ("The decision", (*STEPS, WAIT_FOR_CLEARING, PAY_NEXT_DUE)),
        ("Command line", open_schema().names),
        ("Command line", quarantine_schema().names),
    ],
)
def test_a_section_of_the_contracts_names_all_that_it_is_about(
    title: str, names: tuple[str, ...]
) -> None:
    assert set(names) - words(section(title)) == set()


def options(module: str) -> set[str]:
    command: click.Command = import_module(f"relimit.serving.commands.{module}").command
    return {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }


@pytest.mark.parametrize("name", [*COMMANDS, *(f"policy {command}" for command in POLICY_COMMANDS)])
def test_the_synopsis_has_every_option_of_a_command(name: str) -> None:
    text = section("Command line")
    synopsis, shared = text.split("```")[1], text.split("```")[2].split("\n\n")[1]
    mine = "".join(entry for entry in synopsis.split("\nrelimit ") if entry.startswith(name))
    assert mine
    known = set(re.findall(r"--[a-z-]+", mine + shared)) | {"--json"}
    assert options(name.replace(" ", "_")) - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_links_to_headings_lead_to_headings() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"(?m)^#+ (.+)$", DESIGN)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
    assert set(re.findall(r"design\.md#([^)]+)\)", readme)) - anchors == set()
