"""`relimit compare` on a terminal: evidence, intervals, money, reasons, accounts and the run."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from relimit.training.compare import Comparison
from relimit.training.discrimination import Interval

NO_CAUTION = SimpleNamespace(caution=None, horizon_days=90, days_past_due=60)
BANDS = ["nothing", "all at once"]
FOUND = Comparison(
    a={"rows": 900.0, "auc": 0.7, "auc_low": 0.65, "auc_high": 0.75, "restored_now_yuan": 1000.0,
       "withheld_yuan": 500.0, "expected_loss_yuan": 80.0},
    b={"rows": 900.0, "auc": 0.71, "auc_low": 0.66, "auc_high": 0.76, "restored_now_yuan": 1250.5,
       "withheld_yuan": 249.5, "expected_loss_yuan": 60.0},
    delta={"auc": 0.01, "restored_now_yuan": 250.5, "withheld_yuan": -250.5},
    intervals={
        "auc": Interval(0.01, -0.002, 0.022),
        "loss_yuan_per_prepayment": Interval(-1.5, -2.0, -1.0),
    },
    calibration={"a": [], "b": []},
    swap_sets={"b_restores_more": 31.0, "b_restores_more_yuan": 300.5, "b_restores_less": 17.0,
               "b_restores_less_yuan": 50.0, "same": 852.0},
    migration={"bands": BANDS, "count": [[401, 31], [17, 451]],
               "freed_yuan": [[1.0, 2.0], [3.0, 4.0]]},
    expected_loss={"judged by a": {"a_yuan": 80.0, "b_yuan": 95.25, "change_yuan": 15.25}},
    reasons={"rows": 200, "changed": 0.125, "codes": {
        "steady": {"both": 90, "a_only": 0, "b_only": 0},
        "cycling": {"both": 5, "a_only": 11, "b_only": 13},
    }},
    moved=[{"account_id": "[red]7", "risk_a": 0.2, "risk_b": 0.1, "prepayments": 2,
            "restored_a_yuan": 0.0, "restored_b_yuan": 120.0}],
    verdict="no difference beyond noise",
    evidence=("AUC b − a +0.0100 (-0.0020 to +0.0220), within noise", "900 rows"),
    rows="900 of 1,000 matured rows",
)  # fmt: skip


@pytest.fixture
def compared(monkeypatch, relimit):
    """Print what was found, without a model or a store."""

    def shown(found, run_id="run-1"):
        data = SimpleNamespace(events=None, observations=None)

        def read(_, *, horizon_days, days_past_due):
            assert (horizon_days, days_past_due) == (90, 60)
            return data

        monkeypatch.setattr("relimit.serving.inputs.training_input", read)
        models = {
            "old": SimpleNamespace(caution="few arms [tried]", horizon_days=90, days_past_due=60),
            "new": NO_CAUTION,
        }
        monkeypatch.setattr("relimit.serving.models.open_model", lambda uri, _: models[uri])
        monkeypatch.setattr("relimit.training.compare", lambda *_, **__: found)
        monkeypatch.setattr("relimit.training.record_comparison", lambda *_, **__: run_id)
        result = relimit("compare", "old", "new", "book")
        assert result.exit_code == 0, result.output
        return result.stdout

    return shown


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_figures_have_limits_and_their_difference_its_interval(compared):
    said = lines(compared(FOUND))
    assert "auc 0.7 (0.65 to 0.75) 0.71 (0.66 to 0.76) 0.01 (-0.002 to 0.022)" in said
    assert "restored now ¥1,000.00 ¥1,250.50 ¥250.50" in said
    assert "withheld ¥500.00 ¥249.50 -¥250.50" in said
    assert "expected loss, by its own model ¥80.00 ¥60.00" in said
    assert "loss ¥ per prepayment if all were restored -¥1.50 (-¥2.00 to -¥1.00)" in said
    assert not any("low" in line.split()[:3] for line in said)


def test_the_evidence_the_rows_the_verdict_and_the_run_are_said(compared):
    said = lines(compared(FOUND))
    for line in FOUND.evidence:
        assert f"- {line}" in said
    assert "a is old, b is new" in said
    assert "caution, old: few arms [tried]" in said
    assert not any("caution, new" in line for line in said)
    assert "compared on 900 of 1,000 matured rows" in said
    assert said[-2:] == ["recorded as run run-1", "verdict: no difference beyond noise"]


def test_swap_sets_migration_and_loss_are_shown_in_counts_and_yuan(compared):
    said = lines(compared(FOUND))
    assert "b restores more 31 prepayments, ¥300.50" in said
    assert "b restores less 17 prepayments, ¥50.00" in said
    assert "nothing 401 31" in said
    assert "all at once 17 451" in said
    assert "judged by a ¥80.00 ¥95.25 ¥15.25" in said


def test_reasons_and_accounts_that_move_come_first_and_as_they_are_named(compared):
    said = lines(compared(FOUND))
    assert "Reasons change in 12.5% of 200 prepayments" in said
    cycling = said.index("cycling 5 11 13")
    assert said[cycling + 1] == "steady 90 0 0"
    assert "[red]7 0.2 0.1 2 ¥0.00 ¥120.00" in said


def test_without_money_nothing_is_said_of_it(compared):
    bare = replace(FOUND, swap_sets={}, migration={}, expected_loss={}, reasons={}, moved=[])
    said = compared(bare, run_id=None)
    assert not any(word in said for word in ("Swap", "Migration", "Reasons", "Accounts"))
    assert "not recorded" in said
