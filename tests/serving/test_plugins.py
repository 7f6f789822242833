"""A user's own features join the catalogue by `--plugin`, from the working directory."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from relimit.training import resolve_model

RELIMIT = Path(sys.executable).with_name("relimit")
MODULE = '''
from relimit.data.vocabulary import PAYMENT_RETURNED
from relimit.features import feature


@feature("bounced_{w}d", windows=(30, 90), unit="count", risk=+1)
def bounced(h, w):
    """Payments that bounced in the trailing {w} days."""
    return h.count(PAYMENT_RETURNED, w)
'''


def relimit(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RELIMIT, *map(str, words)], cwd=folder, capture_output=True, text=True, check=False
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


def test_a_faulty_feature_is_named_and_not_a_traceback(book: Path, tmp_path: Path) -> None:
    """One number for all snapshots would fill the column, with none to see that it is wrong."""
    faulty = MODULE.replace("return h.count(PAYMENT_RETURNED, w)", "return h.as_of[:1] * 0")
    (tmp_path / "faulty_features.py").write_text(faulty)
    snapshots = pq.read_table(book / "decisions.parquet").slice(0, 50)
    snapshots = snapshots.select(["account_id", "decided_at"])
    pq.write_table(snapshots.rename_columns(["account_id", "as_of"]), tmp_path / "s.parquet")
    words = ["features", "--events", book / "events.parquet", "--snapshots", "s.parquet"]
    words += ["--out", "f.parquet", "--plugin", "faulty_features"]
    result = relimit(*words, folder=tmp_path)
    assert result.returncode == 1
    assert "feature bounced_30d: does not return one number per snapshot" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "f.parquet").exists()


@pytest.fixture(scope="module")
def trained(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the module, and `model`, which was trained on its features too."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "our_features.py").write_text(MODULE)
    lenient = ["--dpd", "1"]  # a few accounts have too few bads for a stricter label
    words = ["train", small_book, "--family", "lightgbm", *lenient, *PLUGIN, "--json"]
    result = relimit(*words, folder=folder)
    assert result.returncode == 0, result.stderr
    store = f"sqlite:///{folder / 'mlflow.db'}"
    model, _ = resolve_model(json.loads(result.stdout)["model_uri"], store)
    (folder / "model").symlink_to(model)
    return folder


PLUGIN = ["--plugin", "our_features"]


def test_a_plugin_goes_from_features_to_decisions(book: Path, trained: Path) -> None:
    events = ["--events", book / "events.parquet"]
    snapshots = pq.read_table(book / "decisions.parquet").slice(0, 50)
    snapshots = snapshots.select(["account_id", "decided_at"])
    pq.write_table(snapshots.rename_columns(["account_id", "as_of"]), trained / "s.parquet")
    words = ["features", *events, "--snapshots", "s.parquet", "--out", "f.parquet", *PLUGIN]
    assert relimit(*words, folder=trained).returncode == 0
    assert pq.read_table(trained / "f.parquet").column_names[-2:] == ["bounced_30d", "bounced_90d"]

    ends = json.loads((book / "book.json").read_text("utf-8"))["as_of"]
    since = (datetime.fromisoformat(ends) - timedelta(days=5)).isoformat()
    words = ["score", "--model", "model", *events, "--since", since, "--as-of", ends]
    scored = relimit(*words, "--out", "out", *PLUGIN, folder=trained)
    assert scored.returncode == 0, scored.stderr
    assert pq.read_table(trained / "out" / "decisions").num_rows > 0
    refused = relimit(*words, "--out", "other", folder=trained)
    assert refused.returncode == 1
    assert "bounced_30d" in refused.stderr


SHIP = """
import pickle, sys
from relimit.features import load_plugins
from relimit.models import Artifact
from relimit.serving.pyfunc import package_decider
from relimit.serving.spark import ShippedModel
from pathlib import Path
sys.path.insert(0, ".")
load_plugins(["our_features"])
Path("shipped").write_bytes(pickle.dumps(ShippedModel.of(Artifact.read(Path("model")))))
package_decider(Artifact.read(Path("model")), None, Path("package"))
"""
EXECUTOR = """
import pickle, sys
from relimit.data.errors import DataError
for path in sys.argv[2:]:
    sys.path.append(path)
    try:
        print(pickle.loads(open(sys.argv[1], "rb").read()).load().feature_names[-1])
    except DataError as error:
        print(error)
"""
SERVER = """
import sys, mlflow.pyfunc
from relimit.data.errors import DataError
for path in sys.argv[2:]:
    sys.path.append(path)
    try:
        mlflow.pyfunc.load_model(sys.argv[1])
        print("served")
    except DataError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def shipped(trained: Path) -> Path:
    """The folder, with the model packaged and as it is sent to executors."""
    python(SHIP, folder=trained)
    return trained


def python(code: str, *words: object, folder: Path) -> list[str]:
    """Return the lines that a process of its own prints."""
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, words)],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return found.stdout.splitlines()


@pytest.mark.parametrize(
    ("script", "what", "answer"),
    [(EXECUTOR, "shipped", "bounced_90d"), (SERVER, "package", "served")],
)
def test_executors_and_servers_import_the_plugins(
    shipped: Path, tmp_path: Path, script: str, what: str, answer: str
) -> None:
    """The plugin is nowhere at first, and then in a folder that Python looks into."""
    missed, found = python(script, shipped / what, tmp_path, shipped, folder=tmp_path)
    assert "plugin our_features" in missed
    assert found == answer


def test_help_is_quick_because_nothing_heavy_is_imported(tmp_path: Path) -> None:
    script = (
        "import sys; from relimit.serving.cli import main; main(['--help'], standalone_mode=False);"
        "print({'mlflow', 'lightgbm', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "set()"
