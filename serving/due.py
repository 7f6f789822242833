"""What a history that has been read calls for: one decision, about its last prepayment."""

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple, Self

import numpy as np

from relimit.data import DataError, Prepayments, find_prepayments
from relimit.data.events import EventBlock
from relimit.data.joined import join_blocks
from relimit.serving.history import WHERE, Asked
from relimit.serving.quarantine import undecidable


class Due(NamedTuple):
    """Events of some accounts, and one prepayment of each that is to be decided."""

    block: EventBlock
    prepayments: Prepayments

    @classmethod
    def of(cls, asked: Asked) -> Self:
        """Return the last prepayment in a history's window.

        Raises
        ------
        DataError
            If there is none, or it can't be decided.
        """
        last = find_prepayments(asked.block, asked.since, asked.as_of, latest=True)
        if not len(last):
            raise DataError(
                "no prepayment is known in the window",
                where=WHERE,
                mend="Give an as_of after the prepayment became known, and a since before it",
            )
        (reason,) = undecidable(asked.block, last)
        if reason is not None:
            raise DataError(reason, where=WHERE, mend="Mend the account's events")
        return cls(asked.block, last)

    @classmethod
    def together(cls, some: Sequence["Due"]) -> Self:
        """Return several as one, its accounts numbered in their order; a single one as it is."""
        if len(some) == 1:
            return cls(*some[0])
        asked = [one.prepayments for one in some]
        names = [field.name for field in fields(Prepayments)]
        joined = {name: np.concatenate([getattr(one, name) for one in asked]) for name in names}
        joined["account"] = np.arange(len(some))
        return cls(join_blocks([one.block for one in some]), Prepayments(**joined))
