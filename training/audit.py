"""What the audit columns show of a version's test rows: read from accounts, never by a model."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from relimit.policy import load_policy
from relimit.training.dataset import TrainingData
from relimit.training.discrimination import Bools, Floats
from relimit.training.fairness import audit_groups, treatment
from relimit.training.fit import Fitted
from relimit.training.judged import Audit
from relimit.training.replay import facts_at, replay

BY_POLICY: Final = "the policy (version {version}) would restore the whole freed limit at once"
BY_RISK: Final = "a risk no higher than the median of the rows fitted on"


def audit_version(events: Path, accounts: pa.Table, data: TrainingData, fitted: Fitted) -> Audit:
    """Return how the groups of the audit columns fare on the test rows.

    Rows with a freed amount are decided by the packaged policy under the model's risk. Where none
    has one, a low risk counts as favourable, and the days are those logged, where any are.

    Parameters
    ----------
    events
        What the policy's facts are read from.
    accounts
        `account_id` and any of `sex`, `age_band`, `region`.
    data, fitted
        The rows and the model.
    """
    rows = data.split.test
    freed = data.labelled.freed[rows] > 0.0
    if freed.any():
        rows = rows[freed]
    test, X = data.labelled.take(rows), data.X[rows]
    risk = fitted.model.restoration_risk(X)
    if freed.any():
        policy = load_policy()
        loss = fitted.model.expected_loss(X, test.freed)
        decided = replay(
            policy, test, facts_at(events, test, policy), risk=risk, expected_loss=loss
        )
        favourable: Bools = decided.restored_now == decided.freed
        days: Floats = decided.days
        words = BY_POLICY.format(version=policy.version)
    else:
        favourable = risk <= float(np.median(fitted.model.reference.risk.edges))
        days = np.where(test.share > 0.0, test.delay_days, np.nan)
        words = BY_RISK
    groups = audit_groups(accounts, data.labelled.account_id[data.split.test])
    chosen = freed if freed.any() else np.ones(len(freed), np.bool_)
    treated = [
        item
        for name, group in groups.items()
        for item in treatment(name, group[chosen], favourable, risk, days)
    ]
    return Audit(words, groups, tuple(treated))
