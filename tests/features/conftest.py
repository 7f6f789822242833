"""Features and plugins that a test registers are forgotten when it ends."""

from collections.abc import Iterator

import pytest

from relimit.features import feature_names
from relimit.features.registry import forget


@pytest.fixture(autouse=True)
def only_built_in_features(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = len(feature_names())
    monkeypatch.setattr("relimit.features.plugins._NAMED", {})
    yield
    forget(feature_names()[before:])
