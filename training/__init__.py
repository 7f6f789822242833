"""Split, fit, measure, register, compare and promote risk models."""

from relimit.training.arm_outcomes import ArmOutcomes, LoggedOutcomes, fit_arm_outcomes
from relimit.training.backtest import BacktestMonth, walk_forward
from relimit.training.compare import Comparison, compare
from relimit.training.comparison import record_comparison, write_comparison
from relimit.training.discrimination import Interval, auc, auc_difference, auc_interval
from relimit.training.document import show
from relimit.training.metrics import evaluate
from relimit.training.optimum import Optimum, optimise_policy
from relimit.training.optimum_page import optimum_dict, write_optimum
from relimit.training.policy_report import headline, write_evaluation
from relimit.training.policy_rows import Assumptions, LogRows, read_log_rows
from relimit.training.policy_value import Evaluation, evaluate_policy
from relimit.training.promote import promote
from relimit.training.promotions import Promotion, promotion_log, unlogged_aliases
from relimit.training.propensity import Propensities, weigh_decisions
from relimit.training.record import TrainResult
from relimit.training.registry import find_version, resolve_model
from relimit.training.repeat import Repetition, repeat_training
from relimit.training.run import train
from relimit.training.splits import Split, split_observations
from relimit.training.stability import Shift, feature_shifts, risk_shift
from relimit.training.store import default_uri
from relimit.training.tune import TuneBudget, Tuning

__all__ = [
    "ArmOutcomes",
    "Assumptions",
    "BacktestMonth",
    "Comparison",
    "Evaluation",
    "Interval",
    "LogRows",
    "LoggedOutcomes",
    "Optimum",
    "Promotion",
    "Propensities",
    "Repetition",
    "Shift",
    "Split",
    "TrainResult",
    "TuneBudget",
    "Tuning",
    "auc",
    "auc_difference",
    "auc_interval",
    "compare",
    "default_uri",
    "evaluate",
    "evaluate_policy",
    "feature_shifts",
    "find_version",
    "fit_arm_outcomes",
    "headline",
    "optimise_policy",
    "optimum_dict",
    "promote",
    "promotion_log",
    "read_log_rows",
    "record_comparison",
    "repeat_training",
    "resolve_model",
    "risk_shift",
    "show",
    "split_observations",
    "train",
    "unlogged_aliases",
    "walk_forward",
    "weigh_decisions",
    "write_comparison",
    "write_evaluation",
    "write_optimum",
]
