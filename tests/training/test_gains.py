"""The gains table against pandas and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from relimit.training.gains import gains_table


def rows(n=1000):
    rng = np.random.default_rng(0)
    risk = rng.permutation(n) / n
    bad = rng.random(n) < risk / 2
    loss = np.where(bad, rng.integers(1_000, 90_000, n), 0).astype(float)
    return bad, risk, loss, rng.exponential(size=n)


def test_bands_agree_with_pandas():
    bad, risk, loss, weight = rows()
    for w in (np.ones(1000), weight):
        frame = pd.DataFrame({"bad": bad * w, "good": ~bad * w, "w": w, "loss": loss * w})
        band = pd.qcut(-risk, 10, labels=False)
        sums = frame.groupby(band).sum()
        shares = (sums / sums.sum()).cumsum()
        found = pd.DataFrame(gains_table(bad, risk, loss=loss, weight=w))
        assert found["band"].tolist() == list(range(1, 11))
        assert found["rows"].tolist() == [100] * 10
        np.testing.assert_allclose(found["bads_share"], shares["bad"])
        np.testing.assert_allclose(found["goods_share"], shares["good"])
        np.testing.assert_allclose(found["loss_share"], shares["loss"])
        np.testing.assert_allclose(found["rows_share"], shares["w"])
        np.testing.assert_allclose(found["bad_rate"], sums["bad"] / sums["w"])
        overall = (bad * w).sum() / w.sum()
        np.testing.assert_allclose(found["lift"], sums["bad"] / sums["w"] / overall)


def test_many_bands_find_the_kolmogorov_smirnov_distance():
    bad, risk, _, _ = rows()
    found = pd.DataFrame(gains_table(bad, risk, bands=1000))
    gap = (found["bads_share"] - found["goods_share"]).max()
    assert gap == pytest.approx(ks_2samp(risk[bad], risk[~bad]).statistic)


def test_the_riskiest_come_first_and_equal_risks_share_a_band():
    bad = np.array([False, False, True, True])
    found = gains_table(bad, np.array([0.1, 0.1, 0.9, 0.9]), bands=4)
    assert [(gain.rows, gain.bads, gain.bads_share) for gain in found] == [(2, 2, 1), (2, 0, 1)]
    assert len(gains_table(bad, np.full(4, 0.2))) == 1


def test_an_unknown_loss_is_nan_and_a_partly_known_one_counts_what_is_known():
    bad, risk, loss, _ = rows()
    assert np.isnan(gains_table(bad, risk)[0].loss_share)
    partly = np.where(np.arange(1000) % 2, loss, np.nan)
    found = gains_table(bad, risk, loss=partly)
    top = np.nansum(partly[risk >= 0.9]) / np.nansum(partly)
    assert found[0].loss_share == pytest.approx(top)
    assert found[-1].loss_share == pytest.approx(1.0)
