"""What later nights are expected to bring is what they bring in a world that lives under them."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from relimit.data.simulator import simulate
from relimit.data.vocabulary import ARMS, DELAYS_DAYS
from relimit.models import RiskModel
from relimit.policy import Policy, load_policy
from relimit.policy.settings import Tier
from relimit.serving.candidate import CandidatePolicy
from relimit.serving.scorer import Scorer
from relimit.training import logged_book
from relimit.training.arm_outcomes import ArmOutcomes
from relimit.training.logged_book import LoggedBook, read_logged_book
from relimit.training.night_worth import tier_arm, worth_over_nights

Floats = NDArray[np.float64]

FEATURE = "utilisation_now"


class Severity:
    """All of it is lost."""

    def severity(self, X: Floats, restored: Floats) -> Floats:
        return np.ones(len(X))


class Model:
    """The more of the line is used, the riskier; it is read again every night."""

    feature_names = (FEATURE,)
    reads = (FEATURE,)
    horizon_days = 180
    days_past_due = 30
    version = "stub"
    loss = Severity()

    def restoration_risk(self, X: Floats) -> Floats:
        return np.clip(0.01 + 0.1 * np.nan_to_num(X[:, 0]), 0.01, 0.2)

    def expected_loss(self, X: Floats, freed: NDArray[np.int64]) -> Floats:
        return self.restoration_risk(X) * freed

    def contributions(self, X: Floats) -> Floats:
        return np.zeros(X.shape)


def made_up(X: Any, share: Any, days: Any, outcomes: Any, account: Any, **_: Any) -> ArmOutcomes:
    table = np.full((len(account), len(ARMS)), 0.1)
    return ArmOutcomes(table, table, table, 0)


@pytest.fixture(scope="module")
def policy() -> Policy:
    """All, half or a quarter at once, or nothing, by what is used of the line."""
    steps = ((0.03, 1.0), (0.06, 0.5), (0.09, 0.25), (1.0, 0.0))
    return replace(load_policy(), tiers=tuple(Tier(to, share, 0, "none") for to, share in steps))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, policy: Policy) -> tuple[Path, LoggedBook]:
    """A small world lived under the policy, and what its log lets expect of the policy."""
    out = tmp_path_factory.mktemp("lived")
    model = cast("RiskModel", Model())
    lender = CandidatePolicy(Scorer(model, policy), DELAYS_DAYS[1:])
    simulate(out, accounts=400, months=13, seed=3, policy=lender, workers=1)
    log = pq.read_table(out / "decisions.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logged_book, "fit_arm_outcomes", made_up)
        patch.setattr(logged_book, "estimate_line_effect", lambda *_, **__: 0.0)
        book = read_logged_book(
            out / "events.parquet", log, model, policy, all_rows=True, workers=1
        )
    return out, book


def back_within(world: Path, book: LoggedBook, days: int) -> Floats:
    """Return the share of each decision that its `restored` events gave back in so many days."""
    events = pq.read_table(
        world / "events.parquet",
        columns=["ts", "amount", "detail"],
        filters=pc.field("kind") == "restored",
    ).to_pandas()
    log = pq.read_table(world / "decisions.parquet").to_pandas().set_index("decision_id")
    names = events["detail"].astype(str)
    waited = (events["ts"].to_numpy() - log["decided_at"].reindex(names).to_numpy()) / (
        np.timedelta64(1, "D")
    )
    amount = events["amount"].to_numpy() * (waited <= days)
    sums = amount_by(names.to_numpy(), amount)
    return np.array([sums.get(name, 0.0) for name in book.decision_id]) / book.freed


def amount_by(names: NDArray[Any], amount: Floats) -> dict[str, float]:
    distinct, place = np.unique(names, return_inverse=True)
    return dict(zip(distinct.tolist(), np.bincount(place, amount).tolist(), strict=True))


def test_the_expected_share_is_what_a_world_lived_under_the_policy_gives_back(
    policy: Policy, world: tuple[Path, LoggedBook]
) -> None:
    out, book = world
    rows, arm = np.arange(len(book)), tier_arm(policy, book)
    worth = worth_over_nights(policy, book)
    expected = worth.restored[rows, arm].sum() / book.freed.sum()
    share = back_within(out, book, policy.service.review_days - 1)
    lived = (share * book.freed).sum() / book.freed.sum()
    first = (book.share * book.freed).sum() / book.freed.sum()
    assert lived > first + 0.02
    assert expected == pytest.approx(lived, abs=0.004)
    # A gate that opens between two of the nights is seen on the next.
    back = worth.restored[rows, arm] / book.freed
    assert (np.abs(back - share) < 0.01).mean() > 0.98
