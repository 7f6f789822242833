"""Features registered by a test are forgotten when it ends."""

from collections.abc import Iterator

import pytest

from relimit.features import feature_names
from relimit.features.registry import forget


@pytest.fixture(autouse=True)
def only_built_in_features() -> Iterator[None]:
    before = len(feature_names())
    yield
    forget(feature_names()[before:])
