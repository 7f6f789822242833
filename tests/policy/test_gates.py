"""What is said of a cap that holds back most decisions: it is hardly these borrowers' cap."""

from relimit.policy import load_policy
from relimit.policy.gates import cap_caution


def test_a_cap_that_holds_back_most_decisions_is_asked_about_with_the_setting_to_change():
    told = cap_caution(load_policy(), capped=60, decisions=100)
    assert told is not None
    assert "¥200,000 holds back limit in 60 of 100 decisions" in told
    assert "limit_yuan under [caps]" in told


def test_a_cap_that_holds_back_some_or_a_night_without_decisions_is_no_matter():
    assert cap_caution(load_policy(), capped=50, decisions=100) is None
    assert cap_caution(load_policy(), capped=0, decisions=0) is None
