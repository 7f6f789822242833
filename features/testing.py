"""Checks that any feature must pass, a user's own too; for use in tests.

>>> from relimit.features import catalogue
>>> check_features(catalogue()[:1], books=1)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from relimit.data.errors import DataError
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.schema import events_schema
from relimit.data.vocabulary import KINDS, LENDER, MICROSECONDS_PER_DAY, THIRD_PARTY
from relimit.features.guard import guarded
from relimit.features.history import Floats, History, Ints
from relimit.features.registry import NEVER, Feature
from relimit.features.select import Windows
from relimit.features.usual import FEW

Change = Callable[[pa.Table, int], pa.Table]
"""Takes an account's events and a moment, and returns the events changed after it."""

MakeEvents = Callable[[int], pa.Table]
"""Returns a book of random events by its seed; the accounts are numbered from 0 on."""

_START: Final = 1_700_000_000_000_000
_HALF_DAY: Final = MICROSECONDS_PER_DAY // 2
_LONG_AFTER: Final = 500
"""Half days that a quarter of the snapshots come later, so that a year lies between the events."""

_OTHER_WINDOWS: Final = (45, 7)
_DELAYS: Final = (0, 0, 0, 1, 4, 20)
_DETAILS: Final[dict[str, tuple[str | None, ...]]] = {
    "draw": ("shopping", "travel", "medical", "education", "home", "other", "coupon:home", None),
    "repayment": ("app", THIRD_PARTY, None),
    "prepayment": ("full", "partial", None),
    "interest": ("penalty", None),
    "inflow": (LENDER, None),
    "operation": ("login_failed", "device_change", "phone_change", "card_change", "limit_check"),
}


def random_events(
    seed: int, *, accounts: int = 12, days: int = 200, details: Sequence[str] = ()
) -> pa.Table:
    """Return random events of every kind, with ties, late knowledge, nulls and outages.

    Half of the events have one of the `details` given, if any, in place of the usual ones.
    """
    rng = np.random.default_rng(seed)
    size = 40 * accounts
    kind = np.array(KINDS, dtype=object)[rng.integers(0, len(KINDS), size)]
    borrowing = rng.random(size) < 0.4
    kind[borrowing] = rng.choice(["draw", "prepayment"], int(borrowing.sum()))
    ts = rng.integers(0, 2 * days, size)
    columns = {
        "account_id": rng.integers(0, accounts, size).tolist(),
        "ts": (_START + _HALF_DAY * ts).tolist(),
        "known_at": (_START + _HALF_DAY * (ts + rng.choice(_DELAYS, size))).tolist(),
        "kind": kind.tolist(),
        "amount": _some(rng, rng.integers(-1, 5000, size)),
        "value": _some(rng, rng.integers(0, 1000, size)),
        "loan_id": _some(rng, rng.integers(0, 4, size)),
        "detail": _words(rng, kind.tolist(), details),
    }
    arrays = {field.name: pa.array(columns[field.name], field.type) for field in events_schema()}
    return pa.table(arrays)


def _some(rng: np.random.Generator, values: Ints) -> list[int | None]:
    kept = rng.random(len(values)) < 0.8
    return [int(value) if keep else None for value, keep in zip(values, kept, strict=True)]


def check_features(
    features: Sequence[Feature],
    *,
    books: int = 3,
    seed: int = 0,
    details: Sequence[str] = (),
    events: MakeEvents | None = None,
) -> None:
    """Check features on random books.

    None may look ahead (events after the snapshot are removed, delayed, changed and added), depend
    on the order of rows or on which other accounts and snapshots come along, or write to what it
    is given; each keeps to its declared unit and nulls. Accounts without events are among them,
    and are null where a null is declared. A feature that never varies was not checked, and fails.

    Parameters
    ----------
    books
        How many random books.
    seed
        Of the first book.
    details
        Words of your own that the features look for in `detail`.
    events
        Makes the books, with the columns of `events_schema`; None takes `random_events`.

    Raises
    ------
    AssertionError
        Which feature does not keep to what, with the first snapshot that shows it.
    """
    make = events or (lambda number: random_events(number, details=details))
    found = []
    for number in range(seed, seed + books):
        rng = np.random.default_rng(number)
        account = rng.integers(-1, 14, 60)
        moment = rng.integers(-1, 460, 60) + np.where(np.arange(60) % 4 == 0, _LONG_AFTER, 0)
        as_of = _START + _HALF_DAY * moment
        trial = _Trial(features, make(number), account, as_of)
        found.append(trial.found)
        trial.check_units()
        trial.check_empty_accounts()
        trial.check_windows()
        trial.check_company()
        trial.check_leaks(rng)
    for feature, column in zip(features, np.concatenate(found).T, strict=True):
        if len(np.unique(column)) < 2:
            raise AssertionError(f"{feature.name} never varies: give details= or events= of yours")


class _Trial:
    """Features on one random book, and the same with changes that must change nothing."""

    def __init__(
        self, features: Sequence[Feature], events: pa.Table, account: Ints, as_of: Ints
    ) -> None:
        self.features = features
        self.events = events
        self.account = account
        self.as_of = as_of
        self.found = _compute(features, events, account, as_of)

    def check_units(self) -> None:
        """Check nulls and units."""
        for feature, column in zip(self.features, self.found.T, strict=True):
            _check_unit(feature, column)

    def check_empty_accounts(self) -> None:
        """Check that an account without events is null where a null is declared."""
        empty = ~np.isin(self.account, self.events["account_id"].to_numpy())
        for feature, column in zip(self.features, self.found[empty].T, strict=True):
            told = column[~np.isnan(column)]
            if feature.null != NEVER and len(told):
                raise AssertionError(
                    f"{feature.name} is {told[0]} for an account without events, not null"
                )

    def check_windows(self) -> None:
        """Check that windows asked for together get what each gets alone."""
        for some in (slice(None), slice(FEW)):
            history = _history(self.events, self.account[some], self.as_of[some])
            for place, feature in enumerate(self.features):
                if feature.together is not None:
                    asked = Windows((feature.window or 0, *_OTHER_WINDOWS))
                    found = _answer(feature, feature.together, history, asked)[0]
                    if not np.array_equal(found, self.found[some, place], equal_nan=True):
                        raise AssertionError(f"{feature.name} differs where asked with others")

    def check_company(self) -> None:
        """Check that neither rows, nor snapshots, nor other accounts matter."""
        order = np.random.default_rng(1).permutation(self.events.num_rows)
        rows = self.events.take(pa.array(order))
        permuted = _compute(self.features, rows, self.account, self.as_of)
        self._same(permuted, "depends on the order of the rows")
        turned = _compute(self.features, self.events, self.account[::-1], self.as_of[::-1])
        self._same(turned[::-1], "depends on the order of the snapshots")
        self._same(self._alone(lambda mine, _: mine), "depends on other accounts or snapshots")

    def check_leaks(self, rng: np.random.Generator) -> None:
        """Check that events that are not known yet don't matter."""
        changes: dict[str, Change] = {
            "removed": lambda mine, now: _split(mine, now)[0],
            "delayed": _delayed,
            "changed": lambda mine, now: _changed(mine, now, rng),
            "added": lambda mine, now: pa.concat_tables([mine, _later(mine, now)]),
        }
        for what, change in changes.items():
            self._same(self._alone(change), f"looks ahead: events not known yet were {what}")

    def _alone(self, change: Change) -> Floats:
        """Compute each snapshot by itself, from its own account's events, changed."""
        rows = []
        for one in range(len(self.account)):
            account, as_of = self.account[one : one + 1], self.as_of[one : one + 1]
            mine = self.events.filter(pa.array(self.events["account_id"].to_numpy() == account))
            rows.append(_compute(self.features, change(mine, int(as_of[0])), account, as_of))
        return np.concatenate(rows)

    def _same(self, other: Floats, fault: str) -> None:
        differ = (self.found != other) & ~(np.isnan(self.found) & np.isnan(other))
        for column in map(int, np.flatnonzero(differ.any(axis=0))):
            rows = np.flatnonzero(differ[:, column])
            raise AssertionError(
                f"{self.features[column].name} {fault} ({len(rows)} of {len(differ)} snapshots; "
                f"the first has {self.found[rows[0], column]} and {other[rows[0], column]})"
            )


def _compute(features: Sequence[Feature], events: pa.Table, account: Ints, as_of: Ints) -> Floats:
    history = _history(events, account, as_of)
    return np.stack([_column(feature, history) for feature in features], axis=1)


def _history(events: pa.Table, account: Ints, as_of: Ints) -> History:
    block = _frozen(blocks_from_table(events))
    known = np.isin(account, block.account_ids)
    return History(block, np.where(known, np.searchsorted(block.account_ids, account), -1), as_of)


def _column(feature: Feature, history: History) -> Floats:
    return _answer(feature, feature.compute, history).astype(np.float64)


def _answer(
    feature: Feature, compute: Callable[..., Floats | Ints], *asked: History | Windows
) -> Floats | Ints:
    try:
        return guarded(feature.name, compute)(*asked)
    except DataError as error:
        raise AssertionError(f"{feature.name} {error.what}") from error


def _frozen(block: EventBlock) -> EventBlock:
    for name in EventBlock.__slots__:
        if isinstance(array := getattr(block, name), np.ndarray):
            array.flags.writeable = False
    return block


def _check_unit(feature: Feature, found: Floats) -> None:
    numbers = found[~np.isnan(found)]
    if feature.null == NEVER and len(numbers) < len(found):
        raise AssertionError(f"{feature.name} is null, but says that it never is")
    if np.isinf(numbers).any():
        raise AssertionError(f"{feature.name} is infinite")
    if feature.unit == "minutes" and (numbers < 0).any():
        raise AssertionError(f"{feature.name} is minutes, but below 0")
    if feature.unit == "fen" and (numbers != np.floor(numbers)).any():
        raise AssertionError(f"{feature.name} is fen, but not whole")
    if feature.unit == "count" and ((numbers < 0) | (numbers != np.floor(numbers))).any():
        raise AssertionError(f"{feature.name} is a count, but not a whole number from 0 on")
    if feature.unit == "flag" and not np.isin(numbers, (0, 1)).all():
        raise AssertionError(f"{feature.name} is a flag, but neither 0 nor 1")


def _split(events: pa.Table, now: int) -> tuple[pa.Table, pa.Table]:
    """Return the events known by then, and the others."""
    visible = events["known_at"].cast(pa.int64()).to_numpy() <= now
    return events.filter(pa.array(visible)), events.filter(pa.array(~visible))


def _delayed(events: pa.Table, now: int) -> pa.Table:
    """Learn of what is not known yet a month later still."""
    visible, hidden = _split(events, now)
    known_at = hidden["known_at"].cast(pa.int64()).to_numpy() + 30 * MICROSECONDS_PER_DAY
    return pa.concat_tables([visible, _with(hidden, {"known_at": known_at.tolist()})])


def _changed(events: pa.Table, now: int, rng: np.random.Generator) -> pa.Table:
    """Change what is not known yet: other kinds, older by `ts`, other numbers, loans and words."""
    visible, hidden = _split(events, now)
    size = hidden.num_rows
    kind = rng.choice(KINDS, size).tolist()
    new = {
        "ts": (now - rng.integers(0, 400, size) * _HALF_DAY).tolist(),
        "kind": kind,
        "amount": rng.integers(1, 10**7, size).tolist(),
        "value": rng.integers(0, 500, size).tolist(),
        "loan_id": rng.integers(0, 4, size).tolist(),
        "detail": _words(rng, kind, ()),
    }
    return pa.concat_tables([visible, _with(hidden, new)])


def _later(events: pa.Table, now: int) -> pa.Table:
    """Return the events once more, learned of just after the snapshot."""
    return _with(events, {"known_at": [now + 1] * events.num_rows})


def _with(events: pa.Table, new: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Return the events with other columns in place of some."""
    for name, values in new.items():
        place = events.schema.get_field_index(name)
        field = events.schema.field(place)
        events = events.set_column(place, field, pa.array(values, field.type))
    return events


def _words(
    rng: np.random.Generator, kinds: Sequence[str], details: Sequence[str]
) -> list[str | None]:
    """Return a detail an event, usual to its kind; half of them of the given ones, if any."""
    words = []
    for kind in kinds:
        usual = _DETAILS.get(kind, ("other", None))
        choice = details if details and rng.random() < 0.5 else usual
        words.append(choice[int(rng.integers(len(choice)))])
    return words
