"""What decisions withhold of each other's lines, and what that does to losses, by hand."""

import numpy as np
import pytest

from relimit.data.vocabulary import ARMS, LOSS_GIVEN_DEFAULT
from relimit.training.line_outcomes import Decisions, LineOutcomes, Lines

FULL, HALF, NONE = (ARMS.index(arm) for arm in ((1.0, 0), (0.5, 0), (0.0, 0)))


def decisions(account, day, freed, limit=1_000.0, withheld=0.0, ratio=0.02):
    n = len(account)
    columns = (np.broadcast_to(x, n).astype(float) for x in (day, freed, limit, withheld, ratio))
    return Decisions(np.array(account), *columns)


def outcomes(lines, *, risk=0.1, parts=1.0, effect=0.0):
    n = len(lines.log.day)
    base = np.full(n, np.log(risk / (1 - risk)))
    return LineOutcomes(lines, effect, base, np.full(20, parts), np.ones(n))


def test_a_line_lacks_what_earlier_and_later_decisions_withhold_while_it_can_go_bad():
    """Who is 30 days late within 180 stopped paying within 150; what is withheld stays for 180."""
    lines = Lines.of(decisions([7, 7, 7, 8], [0, 135, 45, 45], [400, 200, 300, 500]))
    # Of 150 days from day 0: 300 for the last 105, 200 for the last 15.
    # From day 135: 400 for the first 45, 300 for the first 90.
    # From day 45: 400 for the first 135, 200 for the last 60. The other account has nobody.
    expected = [0.21 + 0.02, 0.12 + 0.18, 0.36 + 0.08, 0.0]
    assert lines.others(np.ones(4)) == pytest.approx(expected)
    assert lines.others(np.ones(4), before=True) == pytest.approx([0.0, 0.30, 0.36, 0.0])
    some = lines.others(np.array([0.5, 1.0, 0.0, 1.0]))
    assert some == pytest.approx([0.02, 0.06, 0.18 + 0.08, 0.0])


def test_over_a_shorter_horizon_lines_lack_less_and_within_the_arrears_what_they_lack_at_once():
    near = decisions([7, 7], [0, 45], [400, 200])
    # Of 60 days from day 0: 200 for the last 15. From day 45: 400 for the first 45.
    assert Lines.of(near, 90).others(np.ones(2)) == pytest.approx([0.05, 0.30])
    assert Lines.of(near, 45).others(np.ones(2)) == pytest.approx([0.0, 0.0])
    same_day = decisions([7, 7], [0, 0.5], [400, 200])
    assert Lines.of(same_day, 20).others(np.ones(2)) == pytest.approx([0.1, 0.4])


def test_a_loss_is_what_is_owed_of_the_line_beyond_what_was_left_before():
    """Of 1,000 fen 400 were freed; who goes bad owes nine tenths of what the line leaves."""
    lines = Lines.of(decisions([1, 1], [0, 0], [400, 300]))
    bad, loss = outcomes(lines, parts=0.9).by_arm(np.zeros(2), np.arange(2))
    assert bad == pytest.approx(0.1)
    lost = 0.1 * LOSS_GIVEN_DEFAULT
    assert loss[0, [FULL, HALF, NONE]] / lost == pytest.approx([900 - 600, 720 - 600, 0])
    # With the other's 300 withheld the line is 700, and half of 400 less: 500.
    others = lines.others(np.array([0.0, 1.0]))
    assert others == pytest.approx([0.3, 0.0])
    _, loss = outcomes(lines, parts=0.9).by_arm(others, np.arange(2))
    assert loss[0, [FULL, HALF]] / lost == pytest.approx([630 - 600, 0])


def test_withholding_a_line_lowers_the_odds_of_bad_by_the_effect():
    lines = Lines.of(decisions([1], [0], [1_000]))
    bad, _ = outcomes(lines, risk=0.2, effect=np.log(4)).by_arm(np.zeros(1), np.arange(1))
    assert bad[0, [FULL, HALF, NONE]] == pytest.approx([1 / 5, 1 / 9, 1 / 17])


def made(n=400, seed=0):
    rng = np.random.default_rng(seed)
    limit = rng.integers(500, 2_000, n)
    log = decisions(
        rng.integers(0, n // 4, n),
        rng.uniform(0, 400, n),
        limit * rng.uniform(0.05, 0.5, n),
        limit,
        rng.choice([0.0, 0.25, 0.5], n),
    )
    return Lines.of(log)


def test_to_first_order_the_losses_with_spill_are_those_of_all_arms_lived_together():
    lines, rows = made(), np.arange(400)
    told = outcomes(lines, effect=2.5)
    told = LineOutcomes(lines, 2.5, told.log_odds, np.linspace(0.3, 1.0, 20), told.scale)
    was = np.full(400, 0.5)
    others = lines.others(was)
    loss = told.by_arm(others, rows)[1] + told.spilled(others, was, rows)
    at = loss[rows, HALF].sum()
    assert at == pytest.approx(told.by_arm(others, rows)[1][:, HALF].sum())
    quarter_more = ARMS.index((0.75, 0))
    some = np.random.default_rng(1).permutation(400)[:40]
    arm = np.where(np.isin(rows, some), quarter_more, HALF)
    lived = told.by_arm(lines.others(np.where(arm == HALF, 0.5, 0.25)), rows)[1][rows, arm].sum()
    assert loss[rows, arm].sum() - at == pytest.approx(lived - at, rel=0.25)
    alone = told.by_arm(others, rows)[1][rows, arm].sum()
    assert alone - at < 0.8 * (lived - at)


def test_parts_and_level_are_those_of_the_log():
    """A third of the decisions' borrowers go bad and owe 0.7 of what their line leaves."""
    rng = np.random.default_rng(2)
    n = 6_000
    log = decisions(np.arange(n), 0, rng.uniform(200, 900, n), 1_000, rng.choice([0.0, 0.25], n))
    lines = Lines.of(log)
    bad = rng.uniform(size=n) < 0.3
    owed = np.where(bad, 0.7 * (1_000 - log.freed * log.withheld), 0.0)
    loss = LOSS_GIVEN_DEFAULT * np.maximum(owed - (1_000 - log.freed), 0.0) * bad
    half_as_likely = np.full(n, 0.15)
    found = LineOutcomes.fit(
        lines, 0.0, bad=half_as_likely, owed=owed, loss=loss, known=np.ones(n, bool)
    )
    assert found.parts == pytest.approx(0.7)
    assert found.scale == pytest.approx(2.0, rel=0.07)
    held = lines.own * log.withheld
    assert found.at(held, np.arange(n))[1].sum() == pytest.approx(loss.sum())


def test_losses_that_rise_with_the_ratio_more_than_was_expected_give_it_a_slope():
    rng = np.random.default_rng(3)
    n = 40_000
    ratio = rng.lognormal(-4.0, 0.7, n)
    lines = Lines.of(decisions(np.arange(n), 0, 500, 500, 0.0, ratio))
    risk = 0.1 * ratio / ratio.mean()
    bad = rng.uniform(size=n) < np.minimum(risk, 1.0)
    found = LineOutcomes.fit(
        lines,
        0.0,
        bad=np.full(n, 0.1),
        owed=np.where(bad, 500.0, 0.0),
        loss=np.where(bad, LOSS_GIVEN_DEFAULT * 500.0, 0.0),
        known=np.ones(n, bool),
    )
    high = ratio > np.quantile(ratio, 0.9)
    expected = found.at(np.zeros(n), np.arange(n))[1]
    assert expected[high].sum() == pytest.approx(
        LOSS_GIVEN_DEFAULT * 500 * risk[high].sum(), rel=0.1
    )


def test_with_few_losses_the_estimates_own_level_stays():
    lines = Lines.of(decisions([1, 2], 0, 500))
    found = LineOutcomes.fit(
        lines,
        0.0,
        bad=np.full(2, 0.1),
        owed=np.array([1_000.0, 0.0]),
        loss=np.array([250.0, 0.0]),
        known=np.ones(2, bool),
    )
    assert found.scale.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("withheld", "contradicted"), [(1.0, True), (0.5, False)])
def test_a_log_that_lost_what_it_says_it_withheld_has_no_level(withheld, contradicted):
    """Who owes the whole limit although all that was freed of it was withheld was lent it."""
    n = 1_000
    lines = Lines.of(decisions(np.arange(n), 0, 500, withheld=withheld))
    bad = np.arange(n) < 100
    found = LineOutcomes.fit(
        lines,
        0.0,
        bad=np.full(n, 0.1),
        owed=np.where(bad, 1_000.0, 0.0),
        loss=np.where(bad, LOSS_GIVEN_DEFAULT * 500.0, 0.0),
        known=np.ones(n, bool),
    )
    assert found.contradicted == contradicted
    lost = found.by_arm(np.zeros(n), np.arange(n))[1][:, FULL]
    assert lost.max() <= (0.1 if contradicted else 0.2) * LOSS_GIVEN_DEFAULT * 500.0 * 1.001


def test_an_arm_of_a_row_comes_to_what_its_share_does_to_the_last_bit():
    rng, n = np.random.default_rng(0), 40
    account, day = rng.integers(0, 8, n), rng.uniform(0, 300, n)
    log = decisions(account, day, rng.uniform(1, 900, n), withheld=rng.uniform(size=n))
    found = outcomes(Lines.of(log), effect=1.3, parts=0.8)
    others, rows = found.lines.others(log.withheld), rng.integers(0, n, 25)
    bad, loss = found.by_arm(others, rows)
    for place, (share, _) in enumerate(ARMS):
        held = others[rows] + found.lines.own[rows] * (1.0 - share)
        assert np.array_equal((bad[:, place], loss[:, place]), found.at(held, rows))
