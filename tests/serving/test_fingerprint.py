"""Any change of a file changes its fingerprint, and nothing else does."""

from pathlib import Path

import numpy as np
import pytest

from relimit.serving.fingerprint import WORDS, fingerprint, fingerprint_of

MIB = WORDS * 8


def of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return fingerprint_of(path)


@pytest.fixture(scope="module")
def content() -> bytes:
    return np.random.default_rng(0).bytes(MIB + 1001)


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path, content: bytes) -> None:
    places = [0, 3, 4, 7, MIB - 4, MIB - 1, MIB, MIB + 999, MIB + 1000]
    told = {of(tmp_path / "f", content)}
    for place in places:
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            told.add(of(tmp_path / "f", bytes(changed)))
    assert len(told) == 1 + 8 * len(places)


def test_changes_of_two_words_do_not_cancel(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    told = set()
    for high in rng.permutation(65_536)[:300]:  # the top bytes of two words
        words = np.zeros(512, np.uint64)
        words[[3, 200]] = np.array([high & 255, high >> 8], np.uint64) << np.uint64(56)
        told.add(of(tmp_path / "f", words.tobytes()))
    assert len(told) == 300


def test_order_length_and_trailing_zeros_count(tmp_path: Path, content: bytes) -> None:
    variants = [b"", b"\0", b"\0" * 8, content, content + b"\0", content[MIB:] + content[:MIB],
                content[8:16] + content[:8] + content[16:]]  # fmt: skip
    assert len({of(tmp_path / "f", variant) for variant in variants}) == len(variants)


def test_a_copy_has_the_same_and_a_folder_one_for_each_part(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "day").mkdir()
    told = of(tmp_path / "a.parquet", content)
    assert of(tmp_path / "day" / "b.parquet", content) == told
    assert fingerprint(tmp_path) == {"a.parquet": told, "day/b.parquet": told}
    assert fingerprint(tmp_path / "a.parquet") == {"a.parquet": told}
