"""An arm that is played out alone comes out as it does among all."""

from relimit.data.simulator.branches import play_out
from relimit.data.simulator.sampling import Sample
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, run_block
from relimit.data.vocabulary import ARMS

RISKY = {"types": {"forgetful": [-4.5] * 6}}


def test_arms_that_are_asked_for_come_out_as_among_all():
    world = make_world(9, 4, load_settings("base", RISKY))
    sample = Sample(world, 12)
    sample.offer(run_block(world, 1, 101).decisions)
    every = play_out(world, sample.chosen(), replicates=2).to_pandas()
    arms = [ARMS.index((1.0, 0)), ARMS.index((0.0, 30)), ARMS.index((0.5, 7))]
    some = play_out(world, sample.chosen(), replicates=2, arms=arms).to_pandas()
    assert len(some) == 12 * 3
    assert some.p_bad.nunique() > 1
    keys = ["decision_id", "share", "delay_days"]
    expected = every.set_index(keys).loc[list(map(tuple, some[keys].to_numpy()))].reset_index()
    assert some.equals(expected)
