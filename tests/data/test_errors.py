"""Messages say what is wrong and keep secrets."""

import pytest

from relimit.data.errors import DataError, mask_secrets


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("postgresql://risk:hunter2@db/mlflow", "postgresql://risk:***@db/mlflow"),
        ("postgresql://risk:h@nter2@db/mlflow", "postgresql://risk:***@db/mlflow"),
        ("postgresql://risk:hun/ter2@db/mlflow", "postgresql://risk:***@db/mlflow"),
        ("https://dapi0123456789abcdef@host/api", "https://***@host/api"),
        ("ssh://git@host:22/a", "ssh://git@host:22/a"),
        ("mysql://db?pwd=hunter2&passwd=hunter2", "mysql://db?pwd=***&passwd=***"),
        ("https://h/?auth=hunter2&credential=hunter2", "https://h/?auth=***&credential=***"),
        ("host=db password=hunter2", "host=db password=***"),
        ("author=me", "author=me"),
        ("http://:hunter2@db", "http://:***@db"),
        ("s3://b/k?X-Amz-Signature=hunter2&part=1", "s3://b/k?X-Amz-Signature=***&part=1"),
        ("https://host:5000/a@b", "https://host:5000/a@b"),
        ("sqlite:////srv/mlflow.db", "sqlite:////srv/mlflow.db"),
        ("at 12:30:01 by risk@bank", "at 12:30:01 by risk@bank"),
    ],
)
def test_passwords_and_tokens_of_uris_are_hidden_and_nothing_else(said, shown):
    assert mask_secrets(said) == shown


def test_an_error_hides_them_wherever_they_stand():
    error = DataError(
        "no answer from http://a:hunter2@b", where="http://a:hunter2@b/c", mend="Try again"
    )
    assert "hunter2" not in f"{error} {error.what} {error.where} {error.args}"
    assert str(error) == "http://a:***@b/c: no answer from http://a:***@b. Try again"
