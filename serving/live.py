"""One account's history in, its decision out, as JSON has them: the same as in a nightly run."""

from datetime import date
from typing import Any

from relimit.serving.history import read_history, read_json
from relimit.serving.scorer import Scorer


def decide_json(scorer: Scorer, text: str | bytes, *, analyst: bool = False) -> dict[str, Any]:
    """Decide on one account's history, given as JSON text; see `decide_history`."""
    return decide_history(scorer, read_json(text), analyst=analyst)


def decide_history(scorer: Scorer, history: Any, *, analyst: bool = False) -> dict[str, Any]:
    """Decide on one account's history and return the decision's columns, as JSON has them.

    The history's form is that of `read_history`; in the decision, times and dates are ISO 8601.
    With `analyst` there are the texts for analysts too.

    Raises
    ------
    DataError
        If the history breaks that form, or no prepayment is due for a decision.
    """
    decision = scorer.decide_asked(read_history(history), analyst=analyst)
    return {name: _plain(value) for name, value in decision.items()}


def _plain(value: Any) -> Any:
    """Return a value that JSON has: times and dates as ISO 8601."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
