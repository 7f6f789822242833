"""What runs code from a model's files is refused by the linter."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "import cloudpickle",
        "from joblib import load",
        "from skops.io import load",
        "from mlflow.pyfunc import load_model",
        "from mlflow.pyfunc import spark_udf",
        "from mlflow.lightgbm import load_model",
        "from mlflow.sklearn import load_model",
        "from mlflow.models import predict",
        "from numpy import load",
        "import numpy as np\n\nnp.load('a')",
        "import mlflow\n\nmlflow.pyfunc.load_model('a')",
    ],
)
def test_the_linter_refuses_what_loads_code(line: str) -> None:
    ran = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--stdin-filename", "serving/planted.py",
         "--output-format", "concise", "-"],
        input=line, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "TID251" in ran.stdout
