"""The decision: fault check, hard gates, payment finality, arm, timetable, reasons, remedies."""

from relimit.policy.cases import Cases, check_cases
from relimit.policy.config import Policy
from relimit.policy.decisions import Decisions
from relimit.policy.outcome import outcome_of, situation_of
from relimit.policy.reasons import reasons_of
from relimit.policy.remedies import Rescore, remedies_of
from relimit.policy.timetable import timetable_of
from relimit.policy.wording import Story, write_texts


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
    """
    check_cases(cases)
    situation = situation_of(policy, cases)
    outcome = outcome_of(policy, situation)
    timetable = timetable_of(policy, situation, outcome, cases.as_of, cases.facts.next_due)
    reasons = reasons_of(policy, cases, situation, outcome)
    remedies = remedies_of(policy, cases, situation, outcome, rescore)
    texts = write_texts(Story(policy, cases, timetable, reasons, remedies))
    return Decisions(
        cases=cases,
        timetable=timetable,
        reasons=reasons,
        remedies=remedies,
        text_zh=texts["zh"],
        text_en=texts["en"],
        policy_version=policy.version,
    )
