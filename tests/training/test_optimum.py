"""The optimiser on a made-up log: waits that pay, groups that are kept, files that read back."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from relimit.data.errors import PolicyError
from relimit.data.vocabulary import ARMS
from relimit.policy import load_policy
from relimit.policy.arms import tier_of
from relimit.training import chosen, optimum
from relimit.training.figure_ranges import ranges_of
from relimit.training.ground import Ground
from relimit.training.guards import guardrails_of
from relimit.training.night_worth import worth_over_nights
from relimit.training.optimum import logged_worth, optimise_book
from relimit.training.optimum_page import optimum_dict, write_optimum
from relimit.training.settle import settle

SHARE, DAYS = np.array(ARMS).T
N = 400


@pytest.fixture
def frontier_points():
    """Few, for what is not about the frontier: each is a search of its own."""
    return 2


@pytest.fixture(autouse=True)
def _frontier(monkeypatch, frontier_points):
    monkeypatch.setattr(optimum, "POINTS", frontier_points)


def arm(share, days):
    return ARMS.index((share, days))


def with_value(**changes):
    policy = load_policy()
    return replace(policy, value=replace(policy.stated_value, **changes))


def test_where_waiting_shows_nothing_nobody_waits(make_book):
    found = optimise_book(with_value(loss_budget=0.03, group_share=0.0), make_book())
    assert not any(tier.delay_days for tier in found.policy.tiers if tier.share)
    assert all(wait.net < 0 for wait in found.waits)
    assert found.named["optimised"].mean_days == 0


def test_where_a_gate_closes_on_those_who_go_bad_the_risky_wait_for_it(make_book):
    policy = with_value(loss_budget=0.03, group_share=0.0)
    found = optimise_book(policy, make_book(closing=0.3))
    waiting = [tier for tier in found.policy.tiers if tier.share and tier.delay_days]
    assert [tier.delay_days for tier in waiting] == [3]
    assert waiting[0].up_to > found.policy.tiers[0].up_to
    assert all(wait.net > 0 for wait in found.waits if wait.chosen)
    assert found.named["optimised"].net_yuan > optimise_book(policy, make_book()).named[
        "optimised"
    ].net_yuan  # fmt: skip


@pytest.mark.parametrize(("budget", "needed"), [(0.008, True), (0.2, False)])
def test_a_wait_that_costs_more_than_it_shows_stays_only_where_the_limits_need_it(
    monkeypatch, budget, needed, make_book
):
    """Only waiting keeps what the groups had within the small budget; the search ends."""
    costly = chosen.waits_of

    def idle(*given):
        return [replace(wait, net=-1.0) for wait in costly(*given)]

    monkeypatch.setattr(chosen, "waits_of", idle)
    policy = with_value(loss_budget=budget, group_loss=1.0)
    found = optimise_book(policy, make_book(closing=0.3))
    assert any(wait.chosen for wait in found.waits) == needed
    assert found.named["optimised"].loss_rate <= budget
    assert np.isfinite(found.found.value)


def test_a_closed_gate_returns_its_arm_on_the_first_night_that_finds_it_open(make_book):
    book = make_book()
    closed = np.zeros((N, 3), bool)
    closed[:2, 1] = True
    later = book.signals.closed.copy()
    later[0, :2, 1] = True
    later[1, :, 1] = True
    later[2, 0, 0] = True
    signals = replace(book.signals, closed=later)
    book = replace(book, situation=replace(book.situation, closed=closed), signals=signals)
    worth = worth_over_nights(load_policy(), book)
    freed = book.freed.astype(float)
    # Open again on day 14; never; closed on day 3 alone.
    assert worth.waited[0, arm(1.0, 0)] == freed[0] * 14
    assert worth.waited[0, arm(1.0, 30)] == freed[0] * 30
    assert worth.restored[1].tolist() == [0.0] * 25
    assert worth.loss[1, arm(1.0, 0)] == 0
    assert worth.waited[1, arm(1.0, 0)] == freed[1] * 45
    assert worth.waited[2, arm(1.0, 3)] == freed[2] * 7
    assert worth.waited[2, arm(1.0, 0)] == 0
    # What is asked for at the end of the wait is what is avoided then.
    avoided = book.signals.expected_loss[1, 2]
    assert worth.loss[1, arm(0.5, 14)] == book.outcomes.loss[1, arm(0.5, 14)] - 0.5 * avoided


def test_waiting_at_a_gate_that_was_closed_from_the_first_avoids_no_loss(make_book):
    book = make_book()
    closed = np.ones((N, 3), bool)
    signals = replace(book.signals, closed=np.ones_like(book.signals.closed))
    shut = replace(book, situation=replace(book.situation, closed=closed), signals=signals)
    worth = worth_over_nights(load_policy(), shut)
    assert not worth.restored.any()
    np.testing.assert_array_equal(worth.loss, 0.0)


def test_the_budget_is_kept_by_the_policy_as_its_file_decides(make_book):
    policy = with_value(loss_budget=0.012, group_share=0.0)
    book = make_book()
    found = optimise_book(policy, book)
    tier = tier_of(found.policy, book.situation.loss_ratio)
    arms = np.array([arm(t.share, t.delay_days) for t in found.policy.tiers])[tier]
    loss = book.outcomes.loss[np.arange(N), arms].sum() / book.freed.sum()
    assert loss == pytest.approx(found.named["optimised"].loss_rate)
    assert loss <= 0.012
    assert found.found.shadow_price > 0


def test_a_group_keeps_what_it_had_and_pays_a_price(make_book):
    risky = np.arange(N) > 330
    book = make_book(shown=np.column_stack([risky, ~risky]))
    open_policy = with_value(loss_budget=0.08, group_share=0.0, group_loss=1.0)
    free = {g.name: g for g in optimise_book(open_policy, book).groups}
    kept = {
        g.name: g for g in optimise_book(with_value(loss_budget=0.08, group_loss=1.0), book).groups
    }
    assert free["distress"].share < 0.75
    assert kept["distress"].share >= 0.75
    assert kept["distress"].price_of_share > 0
    assert kept["distress"].share_logged == 0.75
    assert kept["none of these"].price_of_share == 0


def with_middle_group(book):
    """The same book, its fairly risky rows a group of which the log restored a quarter."""
    middle = (np.arange(N) > 120) & (np.arange(N) < 200)
    return replace(
        book,
        shown=np.column_stack([middle, ~middle]),
        arm=np.where(middle, arm(0.25, 7), book.arm),
        share=np.where(middle, 0.25, book.share),
    )


def rates_of(book, arms):
    """Loss over freed of each group, by hand."""
    lost, freed = book.outcomes.loss[np.arange(N), arms], book.freed
    return [sum(lost[its]) / sum(freed[its]) for its in book.shown.T]


@pytest.mark.parametrize(("budget", "rise"), [(0.016, 1.0), (0.008, 1.0), (0.008, 1.5)])
def test_no_group_loses_more_than_the_budget_and_what_it_lost_before(budget, rise, make_book):
    book = with_middle_group(make_book())
    before = rates_of(book, book.arm)[0]
    limit = max(budget, rise * before)
    given = {"loss_budget": budget, "group_share": 0.0, "group_loss": 1.0}
    free = settle(with_value(group_rise=100.0, **given), book, budget)
    kept = settle(with_value(group_rise=rise, **given), book, budget)
    assert rates_of(book, free.arm)[0] > 1.05 * limit
    assert 0.5 * limit < rates_of(book, kept.arm)[0] <= limit
    assert kept.figures.net_yuan < free.figures.net_yuan
    assert sum(kept.found.group_prices["distress"]) > 0
    strict = with_value(group_rise=rise, **{**given, "group_loss": 0.5 * limit})
    guard = guardrails_of(strict, book, Ground.of(strict, book), budget)
    assert guard.most_loss[0] == 0.5 * limit


@pytest.mark.parametrize("frontier_points", [optimum.POINTS])
def test_the_frontier_rises_and_the_optimised_policy_lies_on_it(make_book):
    found = optimise_book(with_value(loss_budget=0.02, group_share=0.0), make_book())
    points = found.frontier
    net = [point.figures.net_yuan for point in points]
    assert net == sorted(net)
    assert all(p.figures.loss_rate <= p.budget + 1e-9 for p in points)
    assert all(p.figures.net_yuan <= p.bound_yuan + 1 <= p.free_bound_yuan + 2 for p in points)
    (own,) = [p for p in points if p.budget == 0.02]
    assert own.figures.net_yuan == pytest.approx(found.named["optimised"].net_yuan)


def test_what_is_written_reads_back(tmp_path, make_book):
    found = optimise_book(
        with_value(loss_budget=0.02, group_share=0.0), make_book(arm=np.arange(N) % len(ARMS))
    )
    write_optimum(found, tmp_path)
    assert load_policy(tmp_path / "policy.toml") == found.policy
    assert found.policy.gates == load_policy().gates
    text = (tmp_path / "policy.toml").read_text("utf-8")
    assert "Warning" not in text
    assert "and again on later nights until the review" in text
    table = pd.read_csv(tmp_path / "frontier.csv")
    assert (table["net_yuan_low"] < table["net_yuan"]).all()
    assert (table["net_yuan"] < table["net_yuan_high"]).all()
    assert table["net_yuan"].tolist() == [p["net_yuan"] for p in optimum_dict(found)["frontier"]]
    page = (tmp_path / "frontier.html").read_text("utf-8")
    assert found.policy.version in page
    assert "<script" not in page
    assert "Bound yuan: what no tiers" in page
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_a_warning_stands_in_the_head_of_the_file_and_on_the_page(tmp_path, make_book):
    book = make_book(warnings=("Too few went bad.",))
    write_optimum(optimise_book(with_value(loss_budget=0.02, group_share=0.0), book), tmp_path)
    assert "# Warning: Too few went bad." in (tmp_path / "policy.toml").read_text("utf-8")
    page = (tmp_path / "frontier.html").read_text("utf-8")
    assert "Too few went bad." in page
    assert "as if it took every one of these decisions" in page


def with_room(book, capped):
    """The same book where the cap leaves these rows nothing."""
    room = np.where(capped, 0, book.freed)
    return replace(book, situation=replace(book.situation, room=room))


def test_a_cap_that_leaves_nothing_to_restore_is_refused_with_the_setting_to_change(make_book):
    with pytest.raises(PolicyError, match="nothing to restore in any of 400") as refused:
        optimise_book(load_policy(), with_room(make_book(), np.ones(N, bool)))
    assert "limit_yuan under [caps]" in str(refused.value)


def test_a_cap_that_holds_back_most_decisions_is_warned_of(make_book):
    book = with_room(make_book(), np.arange(N) % 4 > 0)
    found = optimise_book(with_value(loss_budget=0.02, group_share=0.0), book)
    assert "holds back limit in 300 of 400 decisions" in found.warnings[0]


def test_tiers_that_the_log_never_tried_are_said_to_be_a_guess(make_book):
    tried_once = optimise_book(with_value(loss_budget=0.02, group_share=0.0), make_book())
    (warning,) = tried_once.warnings
    assert "These tiers give 100% of the decisions an arm that the log took fewer than 5" in warning
    assert "100% back at once" in warning
    as_it_gives = make_book(arm=tried_once.arm)
    assert optimise_book(with_value(loss_budget=0.02, group_share=0.0), as_it_gives).warnings == ()


def test_what_closed_gates_withhold_is_untried_where_the_log_withheld_nothing(make_book):
    full = np.full(N, arm(1.0, 0))
    closed = np.zeros((N, 3), bool)
    closed[:40, 0] = True
    book = make_book(arm=full)
    book = replace(book, outcomes=replace(book.outcomes, loss=book.outcomes.loss * 0.0))
    policy = with_value(loss_budget=1.0, group_share=0.0)
    assert optimise_book(policy, book).warnings == ()
    gated = replace(book, situation=replace(book.situation, closed=closed))
    (warning,) = optimise_book(policy, gated).warnings
    assert "give 10% of the decisions" in warning
    assert "(nothing back)" in warning


def test_the_limits_of_the_logs_own_figures_are_those_of_what_came(make_book):
    """One in twenty loses all: resampled accounts tell how well that is known."""
    rng = np.random.default_rng(0)
    book = make_book()
    lost = np.where(rng.uniform(size=N) < 0.05, 0.5 * book.freed, 0.0)
    expected = np.full(N, lost.sum() / N)
    loss = np.repeat(expected[:, None], 25, axis=1)
    margin = book.came.margin + rng.normal(scale=book.freed.std(), size=N)
    margin += (book.came.margin - margin).mean()
    book = replace(
        book,
        outcomes=replace(book.outcomes, loss=loss),
        came=replace(book.came, loss=lost, loss_expected=expected, margin=margin),
    )
    found = ranges_of(with_value(), book, logged_worth(with_value(), book), book.arm)
    freed = book.freed.astype(float)
    draws = [rng.integers(0, N, N) for _ in range(4_000)]
    for name, of, unit in (("loss_rate", lost, 1.0), ("margin_yuan", margin, freed.sum() / 100)):
        rates = [of[rows].sum() / freed[rows].sum() for rows in draws]
        by_hand = np.quantile(rates, [0.025, 0.975]) * unit
        assert found[name] == pytest.approx(tuple(by_hand), abs=0.08 * np.ptp(by_hand))
    assert found["share"] == pytest.approx((0.75, 0.75))
    nothing = replace(book, came=replace(book.came, loss=np.zeros(N)))
    low, high = ranges_of(with_value(), nothing, logged_worth(with_value(), book), book.arm)[
        "loss_rate"
    ]
    assert np.isnan([low, high]).all()


def test_a_gates_cost_is_what_the_same_tiers_bring_without_it(make_book):
    book = make_book()
    closed = np.zeros((N, 3), bool)
    closed[:100, 1] = True
    signals = replace(book.signals, closed=np.zeros((N, 4, 3), bool) | closed[:, None, :])
    held = replace(book, situation=replace(book.situation, closed=closed), signals=signals)
    policy = with_value(loss_budget=1.0, group_share=0.0, group_loss=1.0)
    found = optimise_book(policy, held)
    (gate,) = found.gates
    assert (gate.gate, gate.part) == ("unsettled_interest", 0.25)
    assert gate.loss_rate < gate.loss_rate_elsewhere  # the safest rows are held
    assert gate.restored_yuan == pytest.approx(book.freed[:100].sum() / 100)
    opened = worth_over_nights(policy, book).net(policy)
    shut = worth_over_nights(policy, held).net(policy)
    rows = np.arange(N)
    assert gate.net_yuan == pytest.approx((opened - shut)[rows, found.arm].sum() / 100)
