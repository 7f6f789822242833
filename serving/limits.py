"""What a scoring run bears unless it is told otherwise."""

from typing import Final

MOST_QUARANTINED: Final = 0.001
"""Share of the prepayments that may be quarantined; more points to a fault of the delivery."""
