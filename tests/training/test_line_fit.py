"""What a withheld line does to the odds of bad is told from a log that withholds by risk."""

import numpy as np
import pyarrow as pa
import pytest

from relimit.training.line_fit import estimate_line_effect
from relimit.training.line_outcomes import Decisions, Lines


def made(n=24_000, effect=2.0, seed=4):
    """Two decisions of an account; the riskier it looks, the more of its line is withheld."""
    rng = np.random.default_rng(seed)
    account = np.arange(n) // 2
    risk = rng.normal(size=n // 2)[account]
    withheld = rng.binomial(4, 1 / (1 + np.exp(-risk))) / 4
    day = np.arange(n) % 2 * 10.0
    log = Decisions(account, day, np.full(n, 500.0), np.full(n, 1_000.0), withheld, np.full(n, 0.1))
    first = day == 0
    held = 0.5 * withheld + np.where(first, 0.0, 0.5 * np.roll(withheld, 1))
    odds = np.exp(-2.0 + risk - effect * held)
    bad = rng.uniform(size=n) < odds / (1 + odds)
    table = pa.table({"bad": bad, "account_id": account})
    return risk[:, None], table, Lines.of(log), held


def test_the_effect_is_found_though_the_riskier_are_withheld_more():
    X, table, lines, held = made()
    found = estimate_line_effect(X, ["score"], table, lines)
    assert found == pytest.approx(2.0, abs=0.5)
    bad = table["bad"].to_numpy()
    assert bad[held > 0.5].mean() > bad[held < 0.2].mean()


def test_an_effect_below_none_is_none_and_a_log_with_few_bads_cant_tell():
    X, table, lines, _ = made(effect=-2.0)
    assert estimate_line_effect(X, ["score"], table, lines) == 0.0
    good = table.set_column(0, "bad", pa.array(np.zeros(table.num_rows, bool)))
    assert estimate_line_effect(X, ["score"], good, lines) is None
