"""What MLflow runs to load a packaged decider: the code of the installed relimit, no pickle."""

from mlflow.models import set_model

from relimit.serving.pyfunc import Decider

set_model(Decider())
