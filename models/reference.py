"""What the training rows looked like, in deciles: the yardstick for drift."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from relimit.data.errors import ModelError
from relimit.models.binning import bin_index

Float = NDArray[np.float64]
_DECILES = np.linspace(0.1, 0.9, 9)
_GOLDEN_ROWS = 16


@dataclass(frozen=True, slots=True)
class Distribution:
    """Shares of the training rows by bin: k intervals closed on the right, then missing.

    `edges` float64 [k - 1], rising; `shares` float64 [k + 1], summing to 1.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, x: Float) -> Self:
        """Cut at the distinct deciles of the values that are not NaN."""
        present = x[~np.isnan(x)]
        cuts = np.unique(np.quantile(present, _DECILES)) if len(present) else np.empty(0)
        return cls(tuple(cuts.tolist()), tuple(_shares(cuts, x).tolist()))

    def shares_of(self, x: Float) -> Float:
        """Return the shares of other rows in the same bins, float64 [k + 1]."""
        return _shares(np.array(self.edges), x)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read `edges` and `shares`."""
        edges = tuple(float(value) for value in content["edges"])
        shares = tuple(float(value) for value in content["shares"])
        if len(shares) != len(edges) + 2:
            raise ValueError(f"{len(shares)} shares for {len(edges)} edges")
        return cls(edges, shares)


@dataclass(frozen=True, slots=True)
class Reference:
    """The training rows' distribution by feature, and that of their risk."""

    rows: int
    features: Mapping[str, Distribution]
    risk: Distribution

    @classmethod
    def of(cls, X: Float, names: tuple[str, ...], risk: Float) -> Self:
        """Describe `X` [n, F], whose columns are `names`, and `risk` [n]."""
        features = {name: Distribution.of(X[:, i]) for i, name in enumerate(names)}
        return cls(len(X), features, Distribution.of(risk))

    def to_json(self) -> dict[str, object]:
        """Plain values that `from_json` reads."""
        features = {name: _to_json(item) for name, item in self.features.items()}
        return {"rows": self.rows, "features": features, "risk": _to_json(self.risk)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], names: tuple[str, ...], where: str) -> Self:
        """Read what `to_json` wrote, for these features.

        Raises
        ------
        ModelError
            If a feature or a value is absent or doesn't fit.
        """
        try:
            stored = content["features"]
            features = {name: Distribution.from_json(stored[name]) for name in names}
            return cls(int(content["rows"]), features, Distribution.from_json(content["risk"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"not a training reference ({error!r})", where=where, mend="Save the model again."
            ) from error

    def golden_rows(self) -> Float:
        """Return rows that touch many bins, [16, F]: deciles mixed at random, and missing values.

        They stand for the training rows without holding any borrower's.
        """
        rng = np.random.default_rng(0)
        choices = [[*item.edges, np.nan] for item in self.features.values()]
        picks = [rng.choice(np.array(choice), _GOLDEN_ROWS) for choice in choices]
        return np.column_stack(picks)


def _shares(edges: Float, x: Float) -> Float:
    counts = np.bincount(bin_index(edges, x), minlength=len(edges) + 2)
    return counts / max(len(x), 1)


def _to_json(item: Distribution) -> dict[str, object]:
    return {"edges": item.edges, "shares": item.shares}
