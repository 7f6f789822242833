"""The most memory that this process itself has held."""

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")
KIB_PER_GIB = 2**20


def peak_gib() -> float:
    """Return the largest resident size of this process, GiB.

    From the kernel's `VmHWM` where there is one: `ru_maxrss` of a process that another started
    begins with the size of that other one (Linux keeps it over `exec`).
    """
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / KIB_PER_GIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_GIB
