"""What a validation report is about: a fitted version and the rows that test it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.data.vocabulary import FULL_ARM
from relimit.training.backtest import BacktestMonth
from relimit.training.dataset import TrainingData
from relimit.training.discrimination import Bools, Floats
from relimit.training.evidence import ENOUGH_BADS
from relimit.training.fairness import GroupTreatment
from relimit.training.fit import Fitted
from relimit.training.labelled import Labelled
from relimit.training.splits import ENOUGH_PER_CLASS, OUT_OF_ACCOUNT, sample_rows

ENOUGH_TO_CALIBRATE: Final = 100
FEW_BADS: Final = (
    f"The test slice has {{bads:,}} bads, fewer than {ENOUGH_BADS}: read the intervals; no ranking "
    "of models is claimed from them."
)
LOOSELY_CALIBRATED: Final = (
    "{bads:,} accounts that went bad tell how high the risks are: by chance alone all of them may "
    "be off by {part:.0%} of themselves, either way."
)
FLAT: Final = (
    "Every test row has the same risk: no feature was found to tell bad from good, and decisions "
    "will differ by amounts and rules alone."
)
NOT_BACK_TESTED: Final = (
    "{found} of the {asked} months asked for could be back-tested: a month, and what had matured "
    f"before it, needs {ENOUGH_PER_CLASS} bads and as many goods in each slice."
)
NOT_LATER: Final = "The test is on other accounts, not on later rows as asked for; {split}."
SHORT_HISTORY: Final = (
    "{rows:,} of {of:,} matured rows are in no slice, so that no outcome is in two: the history is "
    "short beside the horizon. --hold-out account learns from all, and tests on no later time."
)
MOST_IN_NO_SLICE: Final = 0.5
WITHOUT_HISTORY: Final = (
    "{rows:,} of {of:,} matured rows have nothing known of the account by their as_of: check that "
    "as_of is not before the events, nor the events known too late."
)
MOST_WITHOUT_HISTORY: Final = 0.05
WITHOUT_ARM: Final = (
    "{rows:,} of {of:,} matured rows have no arm where others have one, and are left out. Drop the "
    "columns share and delay_days to learn from all as if restored in full at once."
)


@dataclass(frozen=True, slots=True)
class Audit:
    """What the audit columns show, and what counted as favourable, in words."""

    favourable: str
    groups: Mapping[str, NDArray[Any]]
    treatments: tuple[GroupTreatment, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A fitted version with everything that its report says.

    Attributes
    ----------
    data, fitted
        What it was trained on, and the model.
    about
        The data's description (fingerprints, window, slices) with the code's revision.
    settings
        What `train` was called with.
    audit
        None without an accounts table.
    backtest, months_asked
        Months that were back-tested, and how many were to be.
    plots
        PNG by name, see `draw_plots`: the report and the run show the same.
    """

    data: TrainingData
    fitted: Fitted
    about: Mapping[str, Any]
    settings: Mapping[str, Any]
    audit: Audit | None = None
    backtest: tuple[BacktestMonth, ...] = field(default=())
    months_asked: int = 0
    plots: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def test(self) -> Labelled:
        """The test rows."""
        return self.data.labelled.take(self.data.split.test)

    def test_features(self, most: int) -> Floats:
        """Return the features of at most so many test rows, always the same, `[m, F]`."""
        rows = self.data.split.test
        return self.data.X[rows[sample_rows(len(rows), most)]]

    def restoration_risk(self, places: NDArray[np.int64]) -> Floats:
        """Return the risk at full restoration of some test rows, by their places in the slice.

        Where that is the arm that a row took, its risk is known and not computed again.
        """
        fitted, rows = self.fitted, self.data.split.test[places]
        risk = fitted.test_risk[places]
        arms = self.data.labelled.arms[rows]
        if fitted.model.has_arms:
            other = (arms != FULL_ARM).any(axis=1)
            risk[other] = fitted.model.restoration_risk(self.data.X[rows[other]])
        return risk

    @property
    def weight(self) -> Floats | None:
        """The test rows' propensity weights."""
        found = self.fitted.propensities
        return None if found is None else found.weight[self.data.split.test]

    @property
    def new_accounts(self) -> Bools:
        """The test rows of accounts that nothing was learnt from."""
        split = self.data.split
        learnt = self.data.labelled.account_id[np.concatenate([split.fit, split.calibrate])]
        return np.asarray(~pd.Index(self.test.account_id).isin(pd.Index(learnt)), np.bool_)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to know before the figures are read: a flat risk, few bads, arms never tried."""
        left_out = self.data.without_arm
        of = left_out + len(self.data.labelled)
        few = (self.few_bads, self.loosely_calibrated)
        told = (self.flat, *few, self.not_later, self.short_history, self.without_history)
        found = [said for said in told if said]
        if len(self.backtest) < self.months_asked:
            months = NOT_BACK_TESTED.format(found=len(self.backtest), asked=self.months_asked)
            found.append(months)
        if left_out:
            found.append(WITHOUT_ARM.format(rows=left_out, of=of))
        return (*found, *self.fitted.cautions)

    @property
    def flat(self) -> str | None:
        """A warning if the model says the same of every test row."""
        risk = self.fitted.test_risk
        return FLAT if risk.min() == risk.max() else None

    @property
    def not_later(self) -> str | None:
        """A warning if the rows could not be split in time, and why."""
        split = self.data.split
        asked = self.settings.get("hold_out") == "time" and split.kind == OUT_OF_ACCOUNT
        return NOT_LATER.format(split=split.description) if asked else None

    @property
    def short_history(self) -> str | None:
        """A warning if more rows are purged between slices in time than are in them."""
        of, rows = len(self.data.labelled), self.data.split.left_out
        return SHORT_HISTORY.format(rows=rows, of=of) if rows > MOST_IN_NO_SLICE * of else None

    @property
    def without_history(self) -> str | None:
        """A warning if many rows are of accounts of which nothing was known yet."""
        of, rows = len(self.data.labelled), self.data.without_history
        told = rows > MOST_WITHOUT_HISTORY * of
        return WITHOUT_HISTORY.format(rows=rows, of=of) if told else None

    @property
    def few_bads(self) -> str | None:
        """A warning if the test slice has fewer than 500 bads."""
        bads = int(self.fitted.metrics["bads"])
        return FEW_BADS.format(bads=bads) if bads < ENOUGH_BADS else None

    @property
    def loosely_calibrated(self) -> str | None:
        """A warning if fewer than 100 accounts that went bad calibrate the model.

        A count of so many varies by twice its root, nineteen times of twenty.
        """
        split, labelled = self.data.split, self.data.labelled
        rows = split.calibrate
        if self.fitted.cross_fitted:
            rows = np.concatenate([split.fit, rows])
        bads = len(np.unique(labelled.account_id[rows[labelled.bad[rows]]]))
        if bads >= ENOUGH_TO_CALIBRATE:
            return None
        return LOOSELY_CALIBRATED.format(bads=bads, part=2.0 / max(bads, 1) ** 0.5)
