"""How MLflow serves one of our artifacts: the loader module of its `python_function` flavour.

It stores no code and no pickle with the model. The scorer never comes this way: it reads the
artifact itself, since loading a foreign model through MLflow runs what that model brings.
"""

from pathlib import Path

import pandas as pd

from relimit.models import RiskModel, load_model

RISK = "risk"


class ServedModel:
    """A risk model behind MLflow's `predict`.

    MLflow enforces the signature first, whose columns are doubles: it refuses text, but widens
    float32 and integers by itself, so that a float32 column arrives as float64, already rounded,
    and nothing here can tell. Send float64, as the features were computed. What arrives otherwise,
    from a caller that asks this class itself, is read as strictly as the scorer reads it.

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
        ModelError
            If a feature column is missing, holds no numbers, or floats narrower than 64 bits.
        """
        risk = self.model.restoration_risk(model_input)
        return pd.DataFrame({RISK: risk}, index=model_input.index)


def _load_pyfunc(path: str) -> ServedModel:
    return ServedModel(load_model(Path(path)))
