"""Decide prepayments: one account, a night, a cluster; and the command line.

Import from the modules, which this package does not import so that `relimit --help` is quick:

- `relimit.serving.scorer.Scorer`: a model and a policy; `decide` answers for one account.
- `relimit.serving.models.open_model`: the checked model behind a URI or a folder.
- `relimit.serving.batch.score`: a night, Parquet to Parquet, of the prepayments that
  `relimit.serving.requests.Night` or `NamedPrepayments` asks for.
- `relimit.serving.spark.score_frame`: the same on a Spark session of yours.
- `relimit.serving.pyfunc.package_decider`: an MLflow model that decides.
"""
