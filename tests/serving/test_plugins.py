"""A user's own features join the catalogue by `--plugin`, from the working directory."""

import json
import subprocess
import sys
from pathlib import Path

RELIMIT = Path(sys.executable).with_name("relimit")
MODULE = '''
from relimit.data.vocabulary import PAYMENT_RETURNED
from relimit.features import feature


@feature("bounced_{w}d", windows=(30, 90), unit="count", risk=+1)
def bounced(h, w):
    """Payments that bounced in the trailing {w} days."""
    return h.count(PAYMENT_RETURNED, w)
'''


def relimit(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RELIMIT, *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_module_in_the_working_directory_adds_its_features(tmp_path: Path) -> None:
    (tmp_path / "our_features.py").write_text(MODULE)
    words = ["features", "--list", "--json", "--plugin", "our_features"]
    listed = json.loads(relimit(*words, folder=tmp_path).stdout)["features"]
    assert [row["name"] for row in listed][-2:] == ["bounced_30d", "bounced_90d"]


def test_a_plugin_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = relimit("features", "--list", "--plugin", "nowhere", folder=tmp_path)
    assert result.returncode == 1
    assert "plugin nowhere" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_is_quick_because_nothing_heavy_is_imported(tmp_path: Path) -> None:
    script = (
        "import sys; from relimit.serving.cli import main; main(['--help'], standalone_mode=False);"
        "print({'mlflow', 'lightgbm', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "set()"
