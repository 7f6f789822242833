"""The decision: fault check, hard gates, payment finality, arm, timetable, reasons, remedies."""

from relimit.policy.cases import Cases, check_cases
from relimit.policy.config import Policy
from relimit.policy.decisions import Decisions
from relimit.policy.filling import Texts
from relimit.policy.outcome import Ruling, dated_by_fault, outcome_of, situation_of
from relimit.policy.reasons import reasons_of
from relimit.policy.remedies import remedies_of
from relimit.policy.rescore import Rescore
from relimit.policy.story import Story
from relimit.policy.timetable import Awaited, Timetable, tier_signals, timetable_of
from relimit.policy.wording import write_texts


def decide(policy: Policy, cases: Cases, rescore: Rescore | None = None) -> Decisions:
    """Decide every case; pure, and a row depends on no other row.

    Parameters
    ----------
    policy
        The published rules.
    cases
        `[n]` prepayments with their scores and facts; n may be 0.
    rescore
        Scores cases again as if a remedy were done; without it the risk stays as it is.

    Raises
    ------
    DataError
        A risk or an expected loss is not a number, money contradicts itself, or lengths differ.

    Examples
    --------
    Six borrowers of whom nothing is known but a loss ratio at the upper end of each tier:

    >>> from relimit.policy import load_policy
    >>> from relimit.policy.examples import tier_cases
    >>> policy = load_policy()
    >>> decide(policy, tier_cases(policy)).to_table()["status"].to_pylist()
    ['restored', 'held', 'staged', 'staged', 'staged', 'declined']
    """
    check_cases(cases)
    situation = situation_of(policy, cases)
    outcome = outcome_of(policy, situation)
    waits_for = Awaited(tier_signals(policy, situation), cases.facts.next_due)
    by_fault = dated_by_fault(policy, situation, outcome)
    timetable = timetable_of(policy, situation, outcome, cases.as_of, waits_for, by_fault=by_fault)
    return explained(policy, Ruling(cases, situation, outcome), timetable, cases, rescore)


def explained(
    policy: Policy,
    ruling: Ruling,
    timetable: Timetable,
    shown: Cases,
    rescore: Rescore | None = None,
) -> Decisions:
    """Add reasons, remedies and texts to what was ruled; `shown` are the cases as told."""
    reasons = reasons_of(policy, ruling)
    remedies = remedies_of(policy, ruling, timetable, rescore)
    told = (shown, ruling.situation, timetable, reasons, remedies)
    texts = write_texts(Story(policy, *told), policy.wording.borrower)
    return Decisions(
        cases=shown,
        situation=ruling.situation,
        timetable=timetable,
        reasons=reasons,
        remedies=remedies,
        text_zh=texts["zh"],
        text_en=texts["en"],
        policy_version=policy.version,
    )


def analyst_texts(policy: Policy, decisions: Decisions) -> dict[str, Texts]:
    """Return by language `[n]` texts for analysts, of decisions that this policy took."""
    told = (decisions.timetable, decisions.reasons, decisions.remedies)
    story = Story(policy, decisions.cases, decisions.situation, *told)
    return write_texts(story, policy.wording.analyst)
