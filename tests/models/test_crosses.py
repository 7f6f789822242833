"""Two-way tables of a card: what they promise of any table, and against brute force."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, minimize
from scipy.special import expit

from relimit.data.errors import ModelError
from relimit.models import Platt, RiskModel, Scorecard, assumed_loss, load_model, save_model
from relimit.models.card_fit import fit_blocks
from relimit.models.cross_shape import Side, side_of, table_block, table_of
from relimit.models.points import SCORECARD_FILE, ScorecardHead

Matrix = NDArray[np.float64]
DIRECTIONS = {"dpd": 1, "score": -1}
CODES = {"dpd": [-9.0]}
CARD = 4_000
NAMES = ["dpd", "score", "free", "other"]
INSTALLED = dict.fromkeys(NAMES, "")


def crossed_book(rows: int, seed: int, strength: float = 1.0) -> pd.DataFrame:
    """A low score matters with arrears alone, and `free` turns what `other` says."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "dpd": rng.choice([-9.0, 0, 0, 5, 15, 30], rows),
            "score": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(600, 50, rows).round()),
            "free": rng.normal(size=rows).round(3),
            "other": rng.normal(size=rows).round(3),
        }
    )
    low = (table["score"] < 600) & (table["dpd"] > 0)
    along = 0.7 * table["free"] + 0.7 * table["other"]
    turned = strength * (1.6 * low + 0.9 * table["free"] * table["other"])
    z = -1.5 + 0.02 * table["dpd"].clip(0) - (table["score"].fillna(600) - 600) / 100
    table["bad"] = rng.random(rows) < expit(z + along + turned)
    return table


def learn(table: pd.DataFrame, **settings: object) -> Scorecard:
    card = Scorecard(DIRECTIONS, special_codes=CODES, **settings)
    return card.fit(table[NAMES], table["bad"])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return crossed_book(CARD, 3)


@pytest.fixture(scope="module")
def card(table: pd.DataFrame) -> Scorecard:
    return learn(table)


@pytest.fixture(scope="module")
def head(card: Scorecard) -> ScorecardHead:
    assert len(card.head_.crosses) >= 2
    return card.head_


def assemble(card: Scorecard, table: pd.DataFrame) -> RiskModel:
    return RiskModel.assemble(
        card, calibration=Platt(0.8, -0.1), loss=assumed_loss(), reference_rows=table[NAMES]
    )


def test_what_two_features_say_together_is_found_and_helps_on_other_rows(
    head: ScorecardHead, card: Scorecard, table: pd.DataFrame
) -> None:
    pairs = {frozenset(cross.features) for cross in head.crosses}
    assert {frozenset({"dpd", "score"}), frozenset({"free", "other"})} <= pairs
    later = crossed_book(20_000, 4)
    additive = learn(table, max_crosses=0)
    losses = [
        np.mean(np.logaddexp(0.0, z) - z * later["bad"])
        for z in (additive.log_odds(later[NAMES]), card.log_odds(later[NAMES]))
    ]
    assert losses[1] < losses[0] - 0.02


def test_books_that_are_additive_get_hardly_a_cross_among_them() -> None:
    cards = [learn(crossed_book(CARD, seed, strength=0.0)) for seed in range(10)]
    assert sum(len(card.head_.crosses) for card in cards) <= 1


def test_a_card_that_needs_no_cross_is_the_additive_card() -> None:
    book = crossed_book(CARD, 0, strength=0.0)
    crossed, additive = learn(book), learn(book, max_crosses=0)
    np.testing.assert_array_equal(crossed.log_odds(book[NAMES]), additive.log_odds(book[NAMES]))


def test_a_book_of_few_bads_gets_no_cross(
    table: pd.DataFrame, head: ScorecardHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert head.crosses
    monkeypatch.setattr("relimit.models.cross_choice.LEAST_OUTCOMES", table["bad"].sum())
    assert learn(table).head_.crosses == ()


def test_the_risks_of_the_rows_fitted_on_are_their_bad_rate_on_average(
    card: Scorecard, table: pd.DataFrame
) -> None:
    risk = card.predict_proba(table[NAMES])[:, 1]
    assert risk.mean() == pytest.approx(table["bad"].mean(), abs=1e-4)


def test_rows_of_one_account_do_not_confirm_a_cross_to_each_other() -> None:
    # Few accounts, many times over: by row, an account's outcome tells itself.
    few = crossed_book(400, 8, strength=0.0)
    account = np.repeat(np.arange(len(few)), 10)
    many = few.iloc[account]
    card = Scorecard(DIRECTIONS, special_codes=CODES)
    alone = card.fit(many[NAMES], many["bad"]).head_.crosses
    together = card.fit(many[NAMES], many["bad"], groups=account).head_.crosses
    assert alone
    assert together == ()


def test_at_most_so_many_crosses_are_taken_and_the_first_are_the_same(
    table: pd.DataFrame, head: ScorecardHead
) -> None:
    (one,) = learn(table, max_crosses=1).head_.crosses
    assert one.features == head.crosses[0].features


def test_fitting_again_gives_the_same_card(table: pd.DataFrame, head: ScorecardHead) -> None:
    assert learn(table).head_.files() == head.files()


def test_every_constrained_feature_keeps_its_direction_beside_any_others(
    card: Scorecard, table: pd.DataFrame
) -> None:
    X = table[NAMES].iloc[:300]
    for name, values in {
        "dpd": [-20.0, 0, 3, 5, 10, 15, 30, 99],
        "score": [100.0, *np.linspace(450, 750, 61), 900],
    }.items():
        swept = np.array([card.log_odds(X.assign(**{name: value})) for value in values])
        assert (np.diff(swept, axis=0) * DIRECTIONS[name] >= 0.0).all()
        assert np.ptp(swept, axis=0).max() > 0.5


def test_one_row_scores_as_in_a_batch_and_reasons_add_up(
    head: ScorecardHead, table: pd.DataFrame
) -> None:
    X = table[NAMES].iloc[:200].to_numpy()
    batch, parts = head.log_odds(X), head.contributions(X)
    assert [head.log_odds(row[None])[0] for row in X] == batch.tolist()
    np.testing.assert_allclose(parts.sum(axis=1), batch, rtol=0, atol=1e-12)
    assert np.ptp(parts[:, -1]) == 0.0


def test_a_crosss_part_goes_half_to_each_of_its_features(
    head: ScorecardHead, table: pd.DataFrame
) -> None:
    X = table[NAMES].iloc[:200].to_numpy()
    cross = head.crosses[0]
    without = replace(head, crosses=head.crosses[1:])
    part = head.log_odds(X) - without.log_odds(X)
    given_to = (head.contributions(X) - without.contributions(X))[:, :-1]
    for place, name in enumerate(head.columns):
        share = 0.5 if name in cross.features else 0.0
        np.testing.assert_allclose(given_to[:, place], share * part, atol=1e-12)


def inside(x: pd.Series, label: str) -> pd.Series:
    """Whether values are in a bin, by its name alone."""
    if label == "missing":
        return x.isna()
    if label.startswith("code "):
        return x == float(label.removeprefix("code "))
    low, high = -np.inf, np.inf
    words = label.replace(",", "").split()
    if "over" in words:
        low = float(words[words.index("over") + 1])
    for word in ("up", "to"):
        if word in words:
            high = float(words[-1])
    return (x > low) & (x <= high) & (x != CODES["dpd"][0])


def test_a_banker_adds_up_the_calibrated_score_from_the_tables(
    card: Scorecard, table: pd.DataFrame
) -> None:
    model = assemble(card, table)
    points, cells = model.head.points_table(), model.head.crosses_table()
    total = np.zeros(len(table))
    for row in points.itertuples():
        total += np.where(inside(table[row.feature], row.bin), row.points, 0)
    for cell in cells.itertuples():
        here = inside(table[cell.first], cell.first_bin) & inside(
            table[cell.second], cell.second_bin
        )
        total += np.where(here, cell.points, 0)
        assert cell.rows == here.sum()
        assert cell.bads == table["bad"][here].sum()
        assert cell.row_share == pytest.approx(here.mean())
    risk = model.restoration_risk(table[NAMES])
    np.testing.assert_allclose(risk, Platt(0.8, -0.1).apply(card.log_odds(table[NAMES])))
    by_risk = 600 + 20 * np.log2((1.0 - risk) / risk / 50)
    most = (points["feature"].nunique() + len(model.head.crosses)) / 2
    assert np.abs(total - by_risk).max() <= most + 1e-6
    rate = cells["bads"] / cells["rows"].where(cells["rows"] > 0)
    np.testing.assert_allclose(cells["bad_rate"], rate)


def test_crosses_say_nothing_on_average_nor_of_a_level_that_was_never_seen(
    head: ScorecardHead,
) -> None:
    for cross in head.crosses:
        assert cross.mean == pytest.approx(0.0, abs=1e-12)
        for axis in (0, 1):
            empty = cross.rows.sum(axis=1 - axis) == 0.0
            assert (np.compress(empty, cross.log_odds, axis=axis) == 0.0).all()
    assert any((cross.rows.sum(axis=0) == 0.0).any() for cross in head.crosses)


def test_crosses_come_back_from_the_artifact_to_the_last_bit(
    card: Scorecard, table: pd.DataFrame, tmp_path: Path
) -> None:
    model = assemble(card, table)
    save_model(model, tmp_path / "card", manifest={}, installed=INSTALLED)
    again = load_model(tmp_path / "card", installed=INSTALLED)
    np.testing.assert_array_equal(again.log_odds(table[NAMES]), model.log_odds(table[NAMES]))
    pd.testing.assert_frame_equal(again.head.crosses_table(), model.head.crosses_table())


def test_a_card_written_before_there_were_crosses_scores_as_it_did(table: pd.DataFrame) -> None:
    head = learn(table, max_crosses=0).head_
    content = json.loads(head.files()[SCORECARD_FILE])
    assert content.pop("crosses") == []
    older = {SCORECARD_FILE: json.dumps(content).encode()}
    X = table[NAMES].to_numpy()
    again = ScorecardHead.from_files(older, head.columns)
    np.testing.assert_array_equal(again.log_odds(X), head.log_odds(X))
    total = np.full(len(X), head.intercept)
    for feature in head.features:
        total += feature.log_odds[feature.bins.index(X[:, head.columns.index(feature.name)])]
    np.testing.assert_array_equal(again.log_odds(X), total)
    assert head.crosses_table().empty


@pytest.mark.parametrize(
    "change",
    [
        {"features": ["dpd", "nobody"]},
        {"features": ["dpd"]},
        {"levels": [[0, 1], [0, 1]]},
        {"levels": [[]]},
        {"log_odds": [[0.0]]},
        {"rows": "many"},
    ],
)
def test_a_cross_that_does_not_fit_its_features_is_refused(
    change: dict[str, object], head: ScorecardHead
) -> None:
    content = json.loads(head.files()[SCORECARD_FILE])
    content["crosses"][0] |= change
    with pytest.raises(ModelError, match="not a scorecard"):
        ScorecardHead.from_files({SCORECARD_FILE: json.dumps(content).encode()}, head.columns)


@pytest.mark.parametrize("setting", [{"max_crosses": -1}, {"cross_penalty": 0.0}])
def test_settings_that_make_no_sense_are_refused(
    setting: dict[str, float], table: pd.DataFrame
) -> None:
    (name,) = setting
    with pytest.raises(ModelError, match=f"{name} is {setting[name]}"):
        learn(table, **setting)


def test_an_arm_is_in_no_cross(make_table: Callable[..., pd.DataFrame]) -> None:
    table = make_table(6000, 5)
    wild = (table["restored_share"] > 0.5) & (table["dpd"] > 0)
    table["bad"] |= wild & (np.random.default_rng(0).random(len(table)) < 0.8)
    head = Scorecard({"dpd": 1}).fit(table.drop(columns="bad"), table["bad"]).head_
    assert {"restored_share", "delay_days"} <= {feature.name for feature in head.features}
    for cross in head.crosses:
        assert {"restored_share", "delay_days"}.isdisjoint(cross.features)


SIDES = st.builds(
    lambda ordered, others, direction: Side(np.arange(ordered + others), ordered, direction),
    st.integers(1, 4),
    st.integers(1, 2),
    st.sampled_from([-1, 0, 1]),
)


@given(SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_any_table_keeps_both_directions(first: Side, second: Side, seed: int) -> None:
    rng = np.random.default_rng(seed)
    block = table_block(np.zeros(1, dtype=np.intp), first, second, 1.0)
    steps = np.clip(rng.normal(size=len(block.start)), block.low, block.high)
    made = table_of(steps, block, first, second)
    for side, along in ((first, made), (second, made.T)):
        moves = np.diff(along[: side.ordered], axis=0)
        assert (moves * side.direction >= 0.0).all()
    # Setting rounding right moves nothing.
    np.testing.assert_allclose(made.ravel(), block.basis @ steps, atol=1e-9)


@pytest.mark.parametrize("directions", list(itertools.product([-1, 0, 1], repeat=2)))
def test_with_its_features_own_steps_it_can_be_any_additive_table_and_any_with_one_direction(
    directions: tuple[int, int],
) -> None:
    first, second = (Side(np.arange(4), 3, direction) for direction in directions)
    block = table_block(np.zeros(1, dtype=np.intp), first, second, 1.0)
    for seed in range(20):
        wanted = np.random.default_rng(seed).normal(size=(4, 4))
        if directions[0]:
            wanted[:3] = np.sort(wanted[:3], axis=0)[:: directions[0]]
        if directions[1]:
            wanted[:, :3] = np.sort(wanted[:, :3], axis=1)[:, :: directions[1]]
        own = [np.repeat(np.eye(4)[:, k], 4) for k in range(4)]
        own += [np.tile(np.eye(4)[:, k], 4) for k in range(4)]
        basis = np.column_stack([block.basis, *own])
        found = np.linalg.lstsq(basis, wanted.ravel(), rcond=None)[0]
        np.testing.assert_allclose(basis @ found, wanted.ravel(), atol=1e-9)


def test_a_table_is_the_one_that_a_general_solver_finds() -> None:
    rng = np.random.default_rng(6)
    first, second = Side(np.arange(4), 3, 1), Side(np.arange(4), 3, 0)
    cells = rng.integers(0, 16, 3000)
    bad = rng.random(3000) < expit(rng.normal(-1, 0.7, 16))[cells]
    weight = rng.uniform(0.5, 1.5, 3000)
    block = table_block(cells, first, second, 5.0)
    (steps,), intercept = fit_blocks([block], -1.0, bad, weight)
    found = intercept + table_of(steps, block, first, second)

    def loss(x: Matrix) -> float:
        # By cell: of the ordered levels of `first` a start at 0 and two steps, and the last free.
        moves = x[:-1].reshape(3, 4)
        cell = np.vstack([np.zeros(4), np.cumsum(moves[:2], axis=0), moves[2]])
        z = x[-1] + cell.ravel()[cells]
        return float((weight * (np.logaddexp(0.0, z) - bad * z)).sum() + 2.5 * (moves**2).sum())

    rising = LinearConstraint(np.eye(8, 13), 0.0, np.inf)
    best = minimize(
        loss, np.r_[np.full(12, 0.1), -1.0], constraints=rising, method="SLSQP", tol=1e-12
    )
    moves = best.x[:-1].reshape(3, 4)
    expected = best.x[-1] + np.vstack([np.zeros(4), np.cumsum(moves[:2], axis=0), moves[2]])
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert (np.diff(expected[:3], axis=0) < 1e-6).any()


def test_levels_join_the_neighbours_that_differ_least() -> None:
    log_odds = np.array([0.0, 0.1, 1.0, 2.0, 3.0, 4.0, 5.0, 5.1, -7.0, 9.0])
    rows = np.array([9.0, 9, 9, 9, 9, 9, 9, 9, 2, 0])
    side = side_of(log_odds, rows, 8, 1)
    assert side.levels.tolist() == [0, 0, 1, 2, 3, 4, 5, 5, 6, 7]
    assert (side.ordered, side.size) == (6, 8)
