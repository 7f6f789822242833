"""Simulated books: borrowers, a true ledger, a lender, and what would have happened otherwise."""

from relimit.data.simulator.lender import CoolingOffRule, LenderPolicy, PrepaymentCases
from relimit.data.simulator.settings import load_settings, scenarios
from relimit.data.simulator.simulate import SimulationSummary, simulate

__all__ = [
    "CoolingOffRule",
    "LenderPolicy",
    "PrepaymentCases",
    "SimulationSummary",
    "load_settings",
    "scenarios",
    "simulate",
]
