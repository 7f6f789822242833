"""Known vulnerabilities of what is installed, by pip-audit; says so where none could be looked up.

pip-audit ends well, with "No known vulnerabilities found", where it could ask about no package at
all; this tells that apart from a clean bill.
"""

import json
import subprocess
import sys
from pathlib import Path

SECONDS = 300
COMMAND = ("--skip-editable", "--progress-spinner", "off", "--format", "json")


def main() -> int:
    """Print what was found; 1 if a package has a known vulnerability."""
    tool = Path(sys.executable).with_name("pip-audit")
    try:
        ran = subprocess.run(  # noqa: S603 - the tool of this very environment
            [str(tool), *COMMAND], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        packages = json.loads(ran.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return say(f"skipped: no answer from the vulnerability database in {SECONDS} s")
    except (ValueError, KeyError):
        return say(f"skipped: pip-audit could not ask ({last_line(ran.stderr)})")
    asked = [package for package in packages if "skip_reason" not in package]
    if not asked:
        return say(f"skipped: the database knows none of {len(packages)} packages from here")
    for package in asked:
        for fault in package["vulns"]:
            versions = ", ".join(fault["fix_versions"]) or "none yet"
            say(f"{package['name']} {package['version']}: {fault['id']}, mended in {versions}")
    say(f"{len(asked)} of {len(packages)} packages looked up")
    return int(any(package["vulns"] for package in asked))


def last_line(text: str) -> str:
    """Return the last line that says anything."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


def say(text: str) -> int:
    """Print a line; 0, so that a reason to skip can be returned."""
    sys.stdout.write(f"    {text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
