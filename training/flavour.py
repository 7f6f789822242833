"""How MLflow serves one of our artifacts: the loader module of its `python_function` flavour.

It stores no code and no pickle with the model. The scorer never comes this way: it reads the
artifact itself, since loading a foreign model through MLflow runs what that model brings.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from relimit.models import RiskModel, load_model

RISK = "risk"


class ServedModel:
    """A risk model behind MLflow's `predict`.

    Parameters
    ----------
    model
        The loaded model.
    """

    def __init__(self, model: RiskModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return the column `risk` for a frame that holds the model's features in any order.

        Raises
        ------
        KeyError
            If a feature column is missing.
        """
        X = model_input[list(self.model.feature_names)].to_numpy(dtype=np.float64)
        risk = self.model.restoration_risk(np.ascontiguousarray(X))
        return pd.DataFrame({RISK: risk}, index=model_input.index)


def _load_pyfunc(path: str) -> ServedModel:
    return ServedModel(load_model(Path(path)))
