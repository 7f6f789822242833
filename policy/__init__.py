"""Decide how much of a freed limit returns, when, why, and what would bring back the rest."""

from relimit.policy.card import Terms, published_terms
from relimit.policy.cases import Cases, Facts
from relimit.policy.config import Policy, load_policy
from relimit.policy.decide import analyst_texts, decide
from relimit.policy.decisions import Decisions, decisions_schema
from relimit.policy.earlier import Earlier
from relimit.policy.facts import gather_facts
from relimit.policy.filling import Texts
from relimit.policy.optimise import Guardrails, Optimised, Sample, optimise_tiers
from relimit.policy.outcome import bound_by_risk
from relimit.policy.reasons import REASONS, reads_contributions
from relimit.policy.release import decide_again
from relimit.policy.remedies import ACTIONS
from relimit.policy.rescore import Rescored
from relimit.policy.worth import Worth, worth_of
from relimit.policy.writing import policy_text

__all__ = [
    "ACTIONS",
    "REASONS",
    "Cases",
    "Decisions",
    "Earlier",
    "Facts",
    "Guardrails",
    "Optimised",
    "Policy",
    "Rescored",
    "Sample",
    "Terms",
    "Texts",
    "Worth",
    "analyst_texts",
    "bound_by_risk",
    "decide",
    "decide_again",
    "decisions_schema",
    "gather_facts",
    "load_policy",
    "optimise_tiers",
    "policy_text",
    "published_terms",
    "reads_contributions",
    "worth_of",
]
