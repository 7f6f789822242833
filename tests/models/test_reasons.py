import numpy as np

from relimit.features import catalogue
from relimit.models import CAUSES, cause_of_feature, causes_of_features, contributions_by_cause


def test_a_healthy_prepayer_is_not_in_distress() -> None:
    assert cause_of_feature("prepay_count_30d", "prepayment") == "low_need"
    assert cause_of_feature("cycle_count_30d", "cycling") == "cycling"
    assert cause_of_feature("dpd_now", "delinquency") == "distress"
    assert cause_of_feature("payment_returned_count_30d", "delinquency") == "payment_return"
    assert cause_of_feature("anything", "a family not mapped") == "other"


def test_every_installed_feature_has_a_cause() -> None:
    causes = causes_of_features()
    assert set(causes) == {item.name for item in catalogue()}
    assert set(causes.values()) <= set(CAUSES)
    assert {"low_need", "distress", "payment_return"} <= set(causes.values())


def test_the_causes_add_up_to_the_contributions() -> None:
    families = {"dpd_now": "delinquency", "prepay_count_7d": "prepayment", "hold": "gaps"}
    contributions = np.random.default_rng(0).normal(size=(20, 4))
    parts = contributions_by_cause(contributions, [*families, "stranger"], families)
    assert tuple(parts) == CAUSES
    np.testing.assert_allclose(sum(parts.values()), contributions.sum(axis=1))
    np.testing.assert_array_equal(parts["cycling"], contributions[:, 2])
    np.testing.assert_array_equal(parts["other"], contributions[:, 3])
