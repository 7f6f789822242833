"""The vocabulary of the data contract, written once: event kinds, arms, statuses, units."""

from typing import Final

SCHEMA_VERSION: Final = 1

LIMIT: Final = "limit"
DRAW: Final = "draw"
DUE: Final = "due"
REPAYMENT: Final = "repayment"
PREPAYMENT: Final = "prepayment"
INTEREST: Final = "interest"
INTEREST_PAYMENT: Final = "interest_payment"
OVERDUE: Final = "overdue"
CURED: Final = "cured"
RESTORED: Final = "restored"
PAYMENT_RETURNED: Final = "payment_returned"
INCOME: Final = "income"
INFLOW: Final = "inflow"
EXTERNAL_SCORE: Final = "external_score"
INQUIRY: Final = "inquiry"
OPERATION: Final = "operation"
OUTAGE: Final = "outage"
CHARGE_OFF: Final = "charge_off"

KINDS: Final = (
    LIMIT,
    DRAW,
    DUE,
    REPAYMENT,
    PREPAYMENT,
    INTEREST,
    INTEREST_PAYMENT,
    OVERDUE,
    CURED,
    RESTORED,
    PAYMENT_RETURNED,
    INCOME,
    INFLOW,
    EXTERNAL_SCORE,
    INQUIRY,
    OPERATION,
    OUTAGE,
    CHARGE_OFF,
)
"""Every event kind; its place is its code and breaks ties between events of one instant."""

PLACE: Final = {kind: place for place, kind in enumerate(KINDS)}
"""The place of each of `KINDS`."""

LENDER: Final = "lender"
"""The `detail` of an inflow that came from another lender."""

THIRD_PARTY: Final = "third_party"
"""The `detail` of a payment, or its start, if somebody else than the borrower made it."""

COUPON_PREFIX: Final = "coupon:"
"""The start of a draw's `detail` if a coupon funded it."""

IDENTITY_CONFIRMED: Final = "identity_confirmed"
"""The `detail` of an operation by which the borrower confirmed who they are."""

SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
DELAYS_DAYS: Final = (0, 3, 7, 14, 30)
ARMS: Final = tuple((share, delay) for share in SHARES for delay in DELAYS_DAYS)
"""The 25 ways to restore, `(share, delay_days)`, share the slower of the two."""

FULL_ARM: Final = (1.0, 0)
"""The whole freed limit at once: the arm that restoration risk is about."""

BAD_DAYS_PAST_DUE: Final = 30
BAD_HORIZON_DAYS: Final = 180
LOSS_GIVEN_DEFAULT: Final = 0.8
"""Share of a balance that is lost when its borrower goes bad, where nobody says otherwise."""
FUNDING_COST_YEARLY: Final = 0.04
"""What a year of lent money costs the lender, where nobody says otherwise."""
ONE_DECISION_HOURS: Final = 24
"""Prepayments of one account this close together are one decision, taken at the last."""

STATUSES: Final = ("restored", "staged", "held", "declined", "fault")

CALENDAR: Final = "Asia/Shanghai"
"""The time zone of calendar features and of the dates that borrowers read."""

MICROSECONDS_PER_DAY: Final = 86_400_000_000
FEN_PER_YUAN: Final = 100
