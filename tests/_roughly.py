"""`relimit` with few trees, resamples and points of a frontier, for a test that runs it as a shell.

What is printed and written has the same form; the two dear commands take a fraction of the time.
"""

import sys
from typing import Any

from relimit.serving.cli import main

if sys.argv[1:3] in (["policy", "optimise"], ["policy", "evaluate"]):
    from relimit.policy import support, value
    from relimit.policy.resample import resampled_sums
    from relimit.training import arm_chances, arm_outcomes, figure_ranges, optimum

    def few(columns: Any, account: Any, **_: Any) -> Any:
        """Resample 40 times."""
        return resampled_sums(columns, account, draws=40)

    for module in (support, value, figure_ranges):
        module.resampled_sums = few
    arm_chances.ROUNDS, arm_outcomes.MOST_TREES, optimum.POINTS = 5, 20, 2

main(prog_name="relimit")
