import numpy as np
import pytest

from relimit.data.errors import ModelError
from relimit.models.serial import decode, encode


@pytest.mark.parametrize("text", [b'{"x": NaN}', b"[Infinity]", b"[-Infinity]"])
def test_a_bare_number_that_json_lacks_is_refused(text: bytes) -> None:
    with pytest.raises(ModelError, match=r"x\.json: not readable as JSON \(a bare"):
        decode(text, "x.json")


def test_floats_come_back_to_the_last_bit() -> None:
    values = np.random.default_rng(0).normal(size=500) * 10.0 ** np.arange(-250, 250)
    np.testing.assert_array_equal(decode(encode(values), "x"), values)


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(ModelError, match="set can't be written as JSON"):
        encode({"x": {1, 2}})


def test_equal_contents_give_equal_bytes() -> None:
    assert encode({"a": 1, "b": np.float64(2)}) == encode({"b": 2.0, "a": np.int64(1)})
