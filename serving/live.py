"""An account's history in, its decision out, as JSON has them: the same as in a nightly run."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from relimit.data.errors import DataError
from relimit.serving.due import Due
from relimit.serving.history import read_history, read_json
from relimit.serving.scorer import Scorer

AT_ONCE: Final = 512
"""So many histories are decided as one block; more at once gain little and take more memory."""

Decision = dict[str, Any]


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
    return _as_json(scorer.decide_asked(read_history(history), analyst=analyst))


def decide_histories(scorer: Scorer, histories: Sequence[Any]) -> list[Decision | DataError]:
    """Decide on many accounts' histories, in a fraction of the time that each alone would take.

    Returns
    -------
    list
        In the order of the histories, what `decide_history` returns or raises; a history that
        can't be decided leaves the others as they are. An account may have several.
    """
    answers: list[Decision | DataError] = []
    for first in range(0, len(histories), AT_ONCE):
        answers += _decide_some(scorer, histories[first : first + AT_ONCE])
    return answers


def _decide_some(scorer: Scorer, histories: Sequence[Any]) -> list[Decision | DataError]:
    read = [_read(history) for history in histories]
    decided = iter(_decide_due(scorer, [one for one in read if isinstance(one, Due)]))
    return [next(decided) if isinstance(one, Due) else one for one in read]


def _read(history: Any) -> Due | DataError:
    try:
        return Due.of(read_history(history))
    except DataError as error:
        return error


def _decide_due(scorer: Scorer, due: Sequence[Due]) -> list[Decision | DataError]:
    """Return the decision on each as one block; if that is refused, on each by itself."""
    if not due:
        return []
    try:
        decisions = scorer.decide_block(*Due.together(due))
    except DataError as error:
        return [error] if len(due) == 1 else [_decide_due(scorer, [one])[0] for one in due]
    ids = (one.block.account_ids.tolist()[0] for one in due)
    return [_as_json(decisions.row(place) | {"account_id": its}) for place, its in enumerate(ids)]


def _as_json(decision: dict[str, Any]) -> Decision:
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
