"""Defaults of a scoring run that its command line and its Python call share."""

from typing import Final

MOST_QUARANTINED: Final = 0.001
"""Share of the prepayments that may be quarantined; more points to a fault of the delivery."""
