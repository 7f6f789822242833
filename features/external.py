"""External: what others say of the borrower."""

from relimit.data.vocabulary import EXTERNAL_SCORE, INQUIRY
from relimit.features.history import Floats, History, Ints, Window
from relimit.features.registry import feature

SOURCE = "practice: bureau scores and inquiries in behavioural scoring"


@feature("score_last", unit="score", risk=-1, null="no external score yet")
def score_last(h: History) -> Floats:
    """Last external score known."""
    return h.last_value(EXTERNAL_SCORE)


@feature(
    "score_change_{w}d", windows=(90,), unit="score", risk=-1, null="no external score {w} days ago"
)
def score_change(h: History, w: Window) -> Floats:
    """Last external score known less the last one known {w} days ago."""
    scores = h.values(EXTERNAL_SCORE)
    return h.last_amount(scores) - h.amount_before(scores, w.days)


@feature(
    "score_mean_{w}d",
    windows=(365,),
    unit="score",
    risk=-1,
    null="no external score in the trailing {w} days",
)
def score_mean(h: History, w: Window) -> Floats:
    """Mean external score in the trailing {w} days: each reading is a little off."""
    return h.mean(h.values(EXTERNAL_SCORE), w)


@feature("score_since_days", unit="days", risk=0, null="no external score yet")
def score_since_days(h: History) -> Floats:
    """Days since the last external score."""
    return h.since(h.values(EXTERNAL_SCORE))


@feature("inquiry_count_{w}d", windows=(30, 90, 180, 365), unit="count", together=True, risk=1)
def inquiry_count(h: History, w: Window) -> Ints:
    """Inquiries by other lenders in the trailing {w} days."""
    return h.count(INQUIRY, w)
