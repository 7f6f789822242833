"""A policy written is the policy read."""

from dataclasses import replace

import pytest

from relimit.policy import load_policy
from relimit.policy.settings import Tier
from relimit.policy.writing import policy_text


@pytest.fixture
def reread(tmp_path):
    def run(policy, *args):
        path = tmp_path / "policy.toml"
        path.write_text(policy_text(policy, *args), "utf-8")
        return load_policy(path)

    return run


def test_what_is_written_is_read_back_the_same(policy, reread):
    assert reread(policy) == policy


def test_small_bounds_cents_and_comments_survive(policy, reread):
    tiers = (Tier(0.00001, 1.0, 0, "none"), Tier(1.0, 0.25, 14, "next_due"))
    value = replace(policy.value, waiting=29, loss_budget=0.0)
    changed = replace(policy, tiers=tiers, value=value)
    head = ["Optimised.", 'With "quotes" and = signs.']
    assert reread(changed, head, ["1 of 2", "2 of 2"]) == changed


def test_a_policy_without_value_stays_without(policy, reread):
    assert reread(replace(policy, value=None)).value is None
