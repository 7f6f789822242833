"""relimit's training layer."""

from relimit.training.record import TrainResult
from relimit.training.registry import resolve_model
from relimit.training.run import train

__all__ = ["TrainResult", "resolve_model", "train"]
