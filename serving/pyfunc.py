"""The live decision as an MLflow model: features, model and policy behind one `predict`.

The package is models-from-code: it holds a few lines that name this module, our own artifact and
the policy's TOML, no pickle. relimit never loads one; who serves it trusts its folder.
"""

from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import mlflow.pyfunc
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

from relimit.data.errors import DataError
from relimit.features import load_plugins, named_plugins
from relimit.models import Artifact, load_model
from relimit.models.folder import write_folder
from relimit.policy import load_policy
from relimit.serving.live import decide_histories
from relimit.serving.scorer import Scorer

CODE: Final = Path(__file__).with_name("decider.py")
DEFAULT_POLICY: Final = files("relimit.policy").joinpath("default.toml")
DIGEST: Final = "model_digest"
PLUGINS: Final = "plugins"

Histories = list[dict[str, Any]]


class Decider(PythonModel):  # type: ignore[misc]
    """Decides on accounts' histories: `{"account_id": ..., "events": [...], ...}` each.

    A list of histories gets a list of answers in its order: the columns of a decision, or
    `{"error": message}` for a history that can't be decided, which leaves the others as they are.
    Where none of them can be decided the request itself is refused (HTTP 400).
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the packaged model and policy, with every check that a scoring run makes.

        Raises
        ------
        DataError
            A plugin that the package names can't be imported here.
        """
        load_plugins(context.model_config[PLUGINS])
        parts = context.artifacts
        model = load_model(Path(parts["model"]), digest=context.model_config[DIGEST])
        self.scorer = Scorer(model, load_policy(Path(parts["policy"])))

    def predict(self, model_input: Histories) -> list[dict[str, Any]]:
        """Return the answer to each history.

        Raises
        ------
        MlflowException
            If no history could be decided; its message says why for each.
        """
        answers = [
            {"error": str(answer)} if isinstance(answer, DataError) else answer
            for answer in decide_histories(self.scorer, model_input)
        ]
        if all("error" in answer for answer in answers):
            told = "; ".join(f"[{place}] {one['error']}" for place, one in enumerate(answers))
            refusal = f"none of {len(answers)} histories can be decided: {told}"
            raise MlflowException(
                refusal if answers else "no history was given", error_code=INVALID_PARAMETER_VALUE
            )
        return answers


def package_decider(model: Artifact, policy: Path | None, out: Path) -> str:
    """Write an MLflow model that decides with this model and policy, and return its policy's name.

    `mlflow models serve -m OUT --env-manager local` serves it. Plugins of features that were
    loaded by name are recorded, not packed: they must be installed where it is served.

    Parameters
    ----------
    model
        It is loaded once, so that what can't decide is not packaged. The package keeps its digest
        and checks it when it is loaded.
    policy
        A policy file; the packaged default if None.
    out
        Absent or empty; it appears whole or not at all.

    Raises
    ------
    DataError
        If `out` holds something.
    ModelError, PolicyError
        If the model or the policy can't be used.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError("is not empty", where=str(out), mend="Choose another folder")
    model.load()
    name = load_policy(policy).version
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="_", dir=out.parent) as folder:
        parts = {"model": Path(folder) / "model", "policy": Path(folder) / "policy.toml"}
        write_folder(model.files, parts["model"])
        parts["policy"].write_bytes((policy or DEFAULT_POLICY).read_bytes())
        mlflow.pyfunc.save_model(
            Path(folder) / "package",
            python_model=str(CODE),
            artifacts={part: str(path) for part, path in parts.items()},
            model_config={DIGEST: model.digest, PLUGINS: list(named_plugins())},
            pip_requirements=[f"relimit=={version('relimit')}"],
        )
        (Path(folder) / "package").replace(out)
    return name
