import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from relimit.data.errors import ModelError
from relimit.models import RiskModel, load_model, save_model
from relimit.models.folder import sha256
from relimit.models.serial import encode

INSTALLED = {"dpd": "days, 1", "score": "score, 1", "count": "count, 1", "free": "ratio, 1"}
NOTES = {"training_window": ["2024-01-01", "2025-01-01"], "metrics": {"auc": 0.8, "ks": np.nan}}


@pytest.fixture(scope="module")
def saved(model: RiskModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("artifact") / "model"
    return folder, save_model(model, folder, manifest=NOTES, installed=INSTALLED)


@pytest.fixture
def copy(saved: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved[0], tmp_path / "copy"))


def edit_manifest(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_bytes(encode(manifest))


def exchange(folder: Path, name: str, content: bytes) -> None:
    """Replace a file and forge its entry in the manifest."""
    (folder / name).write_bytes(content)
    entry = {"bytes": len(content), "sha256": sha256(content)}
    edit_manifest(folder, lambda manifest: manifest["files"].update({name: entry}))


def test_a_model_comes_back_to_the_last_bit(
    model: RiskModel, saved: tuple[Path, str], rows: np.ndarray
) -> None:
    folder, digest = saved
    freed = np.full(len(rows), 12_345)
    for threads in (1, 2):
        again = load_model(folder, digest=digest, installed=INSTALLED, num_threads=threads)
        np.testing.assert_array_equal(again.risk_by_arm(rows), model.risk_by_arm(rows))
        np.testing.assert_array_equal(
            again.expected_loss(rows, freed), model.expected_loss(rows, freed)
        )
        np.testing.assert_array_equal(again.contributions(rows), model.contributions(rows))
    assert again.feature_names == model.feature_names
    assert again.reference == model.reference
    for mine, kept in zip(
        again.risk_bounds_by_arm(rows), model.risk_bounds_by_arm(rows), strict=True
    ):
        np.testing.assert_array_equal(mine, kept)
    assert (again.version, again.family) == (digest[:12], model.family)
    assert again.manifest["training_window"] == NOTES["training_window"]
    assert np.isnan(again.manifest["metrics"]["ks"])


def test_the_folder_holds_text_only_and_its_digest_is_the_manifests(
    saved: tuple[Path, str],
) -> None:
    folder, digest = saved
    assert sha256((folder / "manifest.json").read_bytes()) == digest
    for file in folder.iterdir():
        file.read_bytes().decode()
        assert file.suffix in {".json", ".txt"}


def test_saving_again_gives_the_same_folder(
    model: RiskModel, saved: tuple[Path, str], tmp_path: Path
) -> None:
    assert save_model(model, tmp_path / "b", manifest=NOTES, installed=INSTALLED) == saved[1]


def test_a_loaded_model_saves_as_itself(saved: tuple[Path, str], tmp_path: Path) -> None:
    again = load_model(saved[0], installed=INSTALLED)
    assert save_model(again, tmp_path / "b", manifest=NOTES, installed=INSTALLED) == saved[1]


def test_names_alone_will_do_for_the_installed_features(saved: tuple[Path, str]) -> None:
    load_model(saved[0], installed=[*INSTALLED, "another"])


def test_another_digest_is_refused(saved: tuple[Path, str]) -> None:
    with pytest.raises(ModelError, match="is not the manifest asked for"):
        load_model(saved[0], digest="0" * 64, installed=INSTALLED)


def every_file(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name != "manifest.json")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content + b" ",
        lambda content: content[:-3] + b"9" + content[-2:],
        lambda content: bytes([content[0] ^ 1]) + content[1:],
    ],
    ids=["cut", "emptied", "grown", "edited", "flipped"],
)
def test_a_damaged_file_is_refused_before_it_is_parsed(
    damage: Callable[[bytes], bytes], copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **kwargs: object) -> None:
        pytest.fail("parsed a file whose hash does not fit")

    monkeypatch.setattr("lightgbm.Booster", never)
    for name in every_file(copy):
        good = (copy / name).read_bytes()
        (copy / name).write_bytes(damage(good))
        with pytest.raises(ModelError, match=f"{name}.*(is not the file|more than)"):
            load_model(copy, installed=INSTALLED)
        (copy / name).write_bytes(good)


def test_an_absent_file_is_named(copy: Path) -> None:
    for name in [*every_file(copy), "manifest.json"]:
        good = (copy / name).read_bytes()
        (copy / name).unlink()
        with pytest.raises(ModelError, match=f"{name}: is absent"):
            load_model(copy, installed=INSTALLED)
        (copy / name).write_bytes(good)


def test_no_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is absent or not a file"):
        load_model(tmp_path / "nowhere", installed=INSTALLED)


def test_a_link_out_of_the_folder_is_refused(copy: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    shutil.move(copy / "loss.json", outside)
    (copy / "loss.json").symlink_to(outside)
    with pytest.raises(ModelError, match=r"loss\.json: is a link"):
        load_model(copy, installed=INSTALLED)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/hostname", "a/b", "..", ".", "", "a\\b"])
def test_a_path_in_the_manifest_cannot_leave_the_folder(name: str, copy: Path) -> None:
    (copy.parent / "outside.json").write_bytes(b"{}")
    entry = {"bytes": 2, "sha256": sha256(b"{}")}
    edit_manifest(copy, lambda manifest: manifest["files"].update({name: entry}))
    with pytest.raises(ModelError, match="leaves the folder"):
        load_model(copy, installed=INSTALLED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format=2), "format 2 where 1 can be read"),
        (lambda m: m.update(schema_version=9), "schema_version 9 where 1"),
        (lambda m: m.pop("features"), r"absent or of the wrong type: \['features'\]"),
        (lambda m: m.update(has_arms="yes"), r"wrong type: \['has_arms'\]"),
        (lambda m: m.update(files=[]), r"wrong type: \['files'\]"),
        (lambda m: m.update(size=True), r"wrong type: \['size'\]"),
        (lambda m: m.update(size=1), "where 1 were saved"),
        (lambda m: m.update(family="forest"), "no model family 'forest'"),
        (lambda m: m["features"].reverse(), "doesn't fit its hash"),
        (lambda m: m["features"].append("dpd"), "doesn't fit its hash"),
        (lambda m: m["feature_definitions"].update(dpd="x"), "doesn't fit its hash"),
        (lambda m: m["files"].pop("loss.json"), r"lists no \['loss.json'\]"),
        (lambda m: m["files"].update({"loss.json": 5}), "without its size"),
        (lambda m: m["files"]["loss.json"].update(bytes="5"), "without its size"),
        (lambda m: m["files"]["loss.json"].update(sha256="5"), "without its size"),
        (lambda m: m["files"]["loss.json"].update(bytes=-5), "holds more than 0"),
        (lambda m: m["files"]["loss.json"].update(sha256="0" * 64), "is not the file"),
    ],
)
def test_an_edited_manifest_is_refused(
    change: Callable[[dict[str, object]], object], message: str, copy: Path
) -> None:
    edit_manifest(copy, change)
    with pytest.raises(ModelError, match=message):
        load_model(copy, installed=INSTALLED)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"format": NaN}', b"\xff\xfe", b"[" * 100_000, b'"text"'],
)
def test_a_manifest_that_is_none_is_refused(content: bytes, copy: Path) -> None:
    (copy / "manifest.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        load_model(copy, installed=INSTALLED)


@pytest.mark.parametrize("name", ["calibration.json", "loss.json", "reference.json", "golden.json"])
@pytest.mark.parametrize("content", [b"{}", b"[]", b"null", b"not json", b'{"kind": 1}'])
def test_a_forged_part_is_a_clear_error(name: str, content: bytes, copy: Path) -> None:
    exchange(copy, name, content)
    with pytest.raises(ModelError):
        load_model(copy, installed=INSTALLED)


def test_a_forged_head_gives_other_answers_and_is_refused(model: RiskModel, copy: Path) -> None:
    (name,) = model.head.files()
    text = (copy / name).read_text()
    if model.family == "scorecard":
        card = json.loads(text)
        card["intercept"] += 0.5
        forged = json.dumps(card)
    else:
        line = next(line for line in text.splitlines() if line.startswith("leaf_value="))
        values = line.removeprefix("leaf_value=").split()
        forged = text.replace(line, "leaf_value=" + " ".join(values[::-1]), 1)
        assert len(forged) == len(text)
    exchange(copy, name, forged.encode())
    with pytest.raises(ModelError, match="16 known rows don't get the answers"):
        load_model(copy, installed=INSTALLED)


def test_a_feature_that_is_not_installed_is_named(saved: tuple[Path, str]) -> None:
    without = {name: text for name, text in INSTALLED.items() if name != "score"}
    with pytest.raises(ModelError, match="1 of 4 features are not installed: score"):
        load_model(saved[0], installed=without)
    with pytest.raises(ModelError, match="3 of 4 features are not installed: score, count, free"):
        load_model(saved[0], installed=["dpd"])


def test_a_feature_that_means_something_else_now_is_named(saved: tuple[Path, str]) -> None:
    changed = {**INSTALLED, "count": "count, 2"}
    with pytest.raises(ModelError, match="count was 'count, 1', is 'count, 2'"):
        load_model(saved[0], installed=changed)


def test_the_catalogue_is_asked_if_nothing_else_is_given(
    model: RiskModel, saved: tuple[Path, str], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="4 of 4 features are not installed"):
        load_model(saved[0])
    with pytest.raises(ModelError, match="4 of 4 features are not installed"):
        save_model(model, tmp_path / "b", manifest={})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(
    model: RiskModel, saved: tuple[Path, str], tmp_path: Path
) -> None:
    before = (saved[0] / "manifest.json").read_bytes()
    with pytest.raises(ModelError, match="is not empty"):
        save_model(model, saved[0], manifest={}, installed=INSTALLED)
    assert (saved[0] / "manifest.json").read_bytes() == before
    (tmp_path / "empty").mkdir()
    save_model(model, tmp_path / "empty", manifest={}, installed=INSTALLED)


@pytest.mark.parametrize("notes", [{"family": "x"}, {"files": {}}, {"when": object()}])
def test_notes_that_cannot_be_recorded_are_refused(
    notes: dict[str, object], model: RiskModel, tmp_path: Path
) -> None:
    with pytest.raises(ModelError):
        save_model(model, tmp_path / "b", manifest=notes, installed=INSTALLED)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_nothing(
    model: RiskModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ModelError, match="can't be written: No space left on device"):
        save_model(model, tmp_path / "b", manifest={}, installed=INSTALLED)
    assert list(tmp_path.iterdir()) == []


def test_files_beside_the_model_are_not_read(copy: Path) -> None:
    (copy / "MLmodel").write_bytes(b"\x00\xff")
    load_model(copy, installed=INSTALLED)


def test_arms_that_are_none_of_the_25_are_refused(copy: Path) -> None:
    edit_manifest(copy, lambda manifest: manifest.update(arms_tried=[[0.3, 1]]))
    with pytest.raises(ModelError, match="none of the 25"):
        load_model(copy, installed=INSTALLED)
