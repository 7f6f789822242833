"""The catalogue: golden rows, its hash, and what it refuses."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from relimit.data.errors import DataError
from relimit.features import (
    History,
    Window,
    catalogue,
    catalogue_hash,
    feature,
    feature_matrix,
    feature_names,
    load_plugins,
    model_feature_names,
)
from relimit.features import plugins as plugins_module
from relimit.features.document import render_catalogue
from relimit.features.matrix import empty_block

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden.txt")


def golden_row(name: str, *rest: object) -> str:
    return " | ".join([name, *("" if word is None else str(word) for word in rest)])


def test_names_order_and_meaning_are_golden() -> None:
    """A row a feature: name, family, dtype, unit, window, risk, revision, null, kept out."""
    matrix = feature_matrix(History(empty_block(), np.array([-1]), np.array([5])))
    rows = [
        golden_row(
            *(f.name, f.family, column.dtype, f.unit, f.window, f.risk, f.revision, f.null),
            f.kept_out,
        )
        for f, column in zip(catalogue(), matrix.T, strict=True)
    ]
    assert rows == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_the_hash_is_that_of_the_golden_rows() -> None:
    rows = [row.split(" | ") for row in GOLDEN.read_text(encoding="utf-8").splitlines()]
    contract = [
        [name, unit, int(window) if window else None, int(risk), null, int(revision)]
        for name, _, _, unit, window, risk, revision, null, _ in rows
    ]
    text = json.dumps(contract, separators=(",", ":"))
    assert catalogue_hash() == hashlib.sha256(text.encode()).hexdigest()


def test_the_hash_follows_order_and_meaning() -> None:
    names = feature_names()[:3]
    assert catalogue_hash(names) != catalogue_hash(names[::-1])
    before = catalogue_hash()

    @feature("one_more", unit="count", risk=0)
    def one_more(h: History) -> np.ndarray:
        """One more."""
        return np.zeros(h.size)

    assert catalogue_hash() != before
    assert catalogue_hash(names) == catalogue_hash(feature_names()[:3])


def test_the_matrix_is_float64_in_the_order_asked_for() -> None:
    history = History(empty_block(), np.array([-1, -1]), np.array([5, 6]))
    matrix = feature_matrix(history)
    assert matrix.dtype == np.float64
    assert matrix.shape == (2, len(feature_names()))
    assert matrix.flags.c_contiguous
    names = feature_names()[:4][::-1]
    assert np.array_equal(feature_matrix(history, names), matrix[:, 3::-1], equal_nan=True)


def test_an_account_without_events_has_counts_of_zero_and_the_declared_nulls() -> None:
    history = History(empty_block(), np.array([-1]), np.array([5]))
    for known, number in zip(catalogue(), feature_matrix(history)[0], strict=True):
        assert np.isnan(number) == (known.null != "never null"), known.name
        assert np.isnan(number) or number == 0, known.name


def test_every_built_in_feature_says_where_its_idea_comes_from() -> None:
    assert [known.name for known in catalogue() if not known.source.strip()] == []


def test_a_feature_has_the_source_of_its_module_unless_it_names_one() -> None:
    def function(h: History) -> np.ndarray:
        """Say something."""
        return np.zeros(h.size)

    feature("without", unit="count", risk=0)(function)
    function.__globals__["SOURCE"] = "practice"
    try:
        feature("inherited", unit="count", risk=0)(function)
        feature("own", unit="count", risk=0, source="a paper")(function)
    finally:
        del function.__globals__["SOURCE"]
    assert [known.source for known in catalogue()[-3:]] == ["", "practice", "a paper"]


def test_each_choice_may_look_back_another_time() -> None:
    @feature("c_{c}", choices=(1, 2), window=lambda c: 30 * c, unit="count", risk=0)
    def c(h: History, choice: int) -> np.ndarray:
        """Say {c}."""
        return np.zeros(h.size)

    assert [known.window for known in catalogue()[-2:]] == [30, 60]


def test_system_lag_is_kept_out_of_risk_models() -> None:
    out = {known.name for known in catalogue() if known.family == "system"}
    assert out == set(feature_names()) - set(model_feature_names())
    assert out


def test_there_are_at_least_sixty_features_of_every_family() -> None:
    families = {known.family for known in catalogue()}
    wanted = "prepayment cycling gaps delinquency utilisation interest funding operations tenure"
    assert families >= {*wanted.split(), "external", "income", "purpose", "system"}
    assert len(catalogue()) >= 60


def test_windows_and_choices_make_one_feature_each() -> None:
    @feature("seen_{c}_{w}d", choices=("a", "b"), windows=(7, 30), unit="count", risk=1)
    def seen(h: History, word: str, w: Window) -> np.ndarray:
        """Count {c} in {w} days."""
        return np.full(h.size, ord(word) * w.days)

    made = catalogue()[-4:]
    assert [known.name for known in made] == ["seen_a_7d", "seen_a_30d", "seen_b_7d", "seen_b_30d"]
    assert made[1].description == "Count a in 30 days."
    assert made[1].window == 30
    history = History(empty_block(), np.array([-1]), np.array([5]))
    assert feature_matrix(history, ["seen_b_30d"]).tolist() == [[ord("b") * 30]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "prepay_count_7d"}, "feature prepay_count_7d: the name is taken"),
        ({"name": "=HYPERLINK(1)"}, "it is no name of a column"),
        ({"unit": "yuan"}, "unit 'yuan' is unknown"),
        ({"risk": 2}, "risk is 2"),
    ],
)
def test_a_faulty_entry_is_refused(options: dict[str, object], message: str) -> None:
    def function(h: History) -> np.ndarray:
        """Say something."""
        return np.zeros(h.size)

    with pytest.raises(DataError, match=message):
        feature(**({"name": "new", "unit": "count", "risk": 0} | options))(function)  # type: ignore[arg-type]


def test_a_feature_without_a_docstring_is_refused() -> None:
    with pytest.raises(DataError, match="no docstring"):
        feature("new", unit="count", risk=0)(lambda h: np.zeros(h.size))


def test_an_unknown_name_is_refused() -> None:
    history = History(empty_block(), np.array([-1]), np.array([5]))
    with pytest.raises(DataError, match="no feature is called nonsense"):
        feature_matrix(history, ["nonsense"])


PLUGIN = '''
from relimit.features import feature

@feature("{name}", unit="count", risk=0)
def compute(h):
    """Draws so far."""
    return h.count("draw")
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_module_plugs_in_by_name(folder: Path) -> None:
    (folder / "my_features.py").write_text(PLUGIN.format(name="my_draws"))
    assert load_plugins(["my_features"]) == ("my_draws",)
    assert feature_names()[-1] == "my_draws"
    assert catalogue()[-1].family == "my_features"
    assert load_plugins(["my_features"]) == ()
    sys.modules.pop("my_features")


def test_an_installed_module_plugs_in_by_entry_point(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "installed_features.py").write_text(PLUGIN.format(name="installed_draws"))
    info = folder / "installed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[relimit.features]\nany = installed_features:compute\n")
    assert load_plugins() == ("installed_draws",)
    sys.modules.pop("installed_features")


def test_a_plugin_that_fails_adds_nothing(folder: Path) -> None:
    text = PLUGIN.format(name="good") + PLUGIN.format(name="prepay_count_7d")
    (folder / "bad_features.py").write_text(text)
    with pytest.raises(DataError, match=r"plugin bad_features: .*the name is taken"):
        load_plugins(["bad_features"])
    assert "good" not in feature_names()
    with pytest.raises(DataError, match="plugin no_such_module"):
        load_plugins(["no_such_module"])
    assert plugins_module.ENTRY_POINTS == "relimit.features"


def test_the_documentation_is_current() -> None:
    """If not: python -c 'from relimit.features.document import *; ...' as the page says."""
    assert (ROOT / "docs" / "features.md").read_text(encoding="utf-8") == render_catalogue()
