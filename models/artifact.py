"""A model as a folder: LightGBM text and JSON, a manifest with every file's hash, no pickle.

A hash in the manifest finds damage, not forgery: whoever can edit a file can edit the manifest.
So `save_model` returns the manifest's own digest, to be kept elsewhere and given to `load_model`.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from relimit.data.errors import ModelError
from relimit.data.vocabulary import ARMS, SCHEMA_VERSION
from relimit.features import catalogue_hash
from relimit.models.arms import ARM_COLUMNS
from relimit.models.calibration import calibration_from_json
from relimit.models.catalogue import check_installed
from relimit.models.families import family_named
from relimit.models.folder import check_bytes, read_bytes, read_checked, sha256, write_folder
from relimit.models.loss import loss_from_json
from relimit.models.prediction import Predictor
from relimit.models.reference import Reference
from relimit.models.risk import RiskModel
from relimit.models.serial import decode, encode

FORMAT: Final = 1
MANIFEST_FILE: Final = "manifest.json"
_MANIFEST_BYTES: Final = 1 << 24
_CALIBRATION_FILE: Final = "calibration.json"
_LOSS_FILE: Final = "loss.json"
_REFERENCE_FILE: Final = "reference.json"
_GOLDEN_FILE: Final = "golden.json"
_GOLDEN_FREED: Final = 1_000_000
_LIBRARIES: Final = ("relimit", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy")

Installed = Mapping[str, str] | Sequence[str]


def save_model(
    model: RiskModel,
    folder: Path,
    *,
    manifest: Mapping[str, object],
    installed: Installed | None = None,
) -> str:
    """Write the model into a new folder and return the SHA-256 of its manifest.

    Equal models with equal manifests give equal folders.

    Parameters
    ----------
    model
        What to save.
    folder
        Absent or empty; it appears whole or not at all.
    manifest
        What else to record: training window, metrics, settings; plain values, NaN allowed.
    installed
        Features with their definitions, or just their names; the installed catalogue if absent.

    Raises
    ------
    ModelError
        If the folder isn't empty, a feature isn't installed, or `manifest` holds a key that is
        written here.
    """
    definitions = check_installed(dict.fromkeys(model.feature_names, ""), installed, str(folder))
    files = {
        **model.head.files(),
        **model.loss.files(),
        _CALIBRATION_FILE: encode(model.calibration.to_json()),
        _LOSS_FILE: encode(model.loss.to_json()),
        _REFERENCE_FILE: encode(model.reference.to_json()),
        _GOLDEN_FILE: encode(_golden(model)),
    }
    own = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "family": model.family,
        "size": model.head.size,
        "features": list(model.feature_names),
        "feature_definitions": definitions,
        "features_sha256": sha256(encode([list(model.feature_names), definitions])),
        "catalogue_hash": catalogue_hash(),
        "has_arms": model.has_arms,
        "arms_tried": [list(arm) for arm in model.tried],
        "libraries": {name: version(name) for name in _LIBRARIES},
        "files": {
            name: {"bytes": len(content), "sha256": sha256(content)}
            for name, content in files.items()
        },
    }
    taken = sorted(own.keys() & manifest.keys())
    if taken:
        raise ModelError(f"manifest keys that are written here: {taken}", mend="Rename them.")
    text = encode({**manifest, **own})
    write_folder({**files, MANIFEST_FILE: text}, folder)
    return sha256(text)


def load_model(
    folder: Path,
    *,
    digest: str | None = None,
    installed: Installed | None = None,
    num_threads: int = 1,
    predictor: Predictor = "auto",
) -> RiskModel:
    """Read a saved model, trusting nothing: see `Artifact.read` and `Artifact.load`.

    Raises
    ------
    ModelError
        A file is absent, damaged or exchanged, or the model needs features that aren't installed.
    """
    artifact = Artifact.read(Path(folder), digest)
    return artifact.load(installed=installed, num_threads=num_threads, predictor=predictor)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A saved model's bytes, every one of which was checked by what made this: `read` or `of`.

    Attributes
    ----------
    manifest
        What it says of itself.
    files
        By name, the manifest's own among them.
    digest
        SHA-256 of the manifest.
    where
        What the bytes came from, for messages.
    """

    manifest: dict[str, Any]
    files: dict[str, bytes]
    digest: str
    where: str

    @classmethod
    def read(cls, folder: Path, digest: str | None = None) -> Self:
        """Read a saved model's folder, each file once; other files in it are left behind.

        Parameters
        ----------
        folder
            What `save_model` wrote.
        digest
            What `save_model` returned, from where it was kept; compared if given.

        Raises
        ------
        ModelError
            If a file is absent, a link, damaged or exchanged.
        """
        where = str(folder / MANIFEST_FILE)
        text = read_bytes(folder / MANIFEST_FILE, _MANIFEST_BYTES)
        manifest = _manifest_asked_for(text, digest, where)
        files = read_checked(folder, manifest["files"])
        return cls(manifest, {**files, MANIFEST_FILE: text}, sha256(text), str(folder))

    @classmethod
    def of(cls, files: Mapping[str, bytes], digest: str, where: str) -> Self:
        """Check the bytes of a saved model that came another way than by its folder.

        Raises
        ------
        ModelError
            If a file is absent, damaged or exchanged.
        """
        text = files.get(MANIFEST_FILE, b"")
        manifest = _manifest_asked_for(text, digest, where)
        mine = {name: files.get(name, b"") for name in manifest["files"]}
        for name, content in mine.items():
            check_bytes(content, manifest["files"][name], f"{where}: {name}")
        return cls(manifest, {**mine, MANIFEST_FILE: text}, digest, where)

    def load(
        self,
        *,
        installed: Installed | None = None,
        num_threads: int = 1,
        predictor: Predictor = "auto",
    ) -> RiskModel:
        """Make the model of the bytes: it must fit the installed features and give known answers.

        Parameters
        ----------
        installed
            Features with their definitions, or just their names; the installed catalogue if absent.
        num_threads
            For batches; it changes no result.
        predictor
            What scores blocks of many rows by trees: `lightgbm`, `fast` (the extra of that name),
            or `auto`, which is `fast` once that is worth loading; it changes no result.

        Raises
        ------
        ModelError
            If the manifest doesn't fit the installed features, or the model doesn't give the
            answers that it gave when it was saved.
        """
        where, definitions = f"{self.where}/{MANIFEST_FILE}", self.manifest["feature_definitions"]
        mine = {name: definitions[name] for name in self.manifest["features"]}
        check_installed(mine, installed, where)
        model = _read_model(self.manifest, self.files, where, num_threads, predictor)
        model = dataclasses.replace(model, manifest=self.manifest, version=self.digest[:12])
        _check_golden(model, decode(self.files[_GOLDEN_FILE], _GOLDEN_FILE), self.where)
        return model


def _manifest_asked_for(text: bytes, digest: str | None, where: str) -> dict[str, Any]:
    """Return what a manifest says, once it is the one asked for."""
    found = sha256(text)
    if digest is not None and digest != found:
        raise ModelError(
            f"is not the manifest asked for (SHA-256 {found[:12]}, wanted {digest[:12]})",
            where=where,
            mend="Fetch the model again, and find out who changed it.",
        )
    return _checked_manifest(decode(text, where), where)


def _read_model(
    manifest: dict[str, Any],
    files: Mapping[str, bytes],
    where: str,
    num_threads: int,
    predictor: Predictor,
) -> RiskModel:
    absent = {_CALIBRATION_FILE, _LOSS_FILE, _REFERENCE_FILE, _GOLDEN_FILE} - files.keys()
    if absent:
        raise ModelError(f"lists no {sorted(absent)}", where=where, mend="Save the model again.")
    names = tuple(manifest["features"])
    columns = (*names, *ARM_COLUMNS) if manifest["has_arms"] else names
    head = family_named(manifest["family"]).read(files, columns, num_threads, predictor)
    if head.size != manifest["size"]:
        raise ModelError(
            f"{head.size} trees or features where {manifest['size']} were saved",
            where=where,
            mend="Save the model again.",
        )
    calibration = decode(files[_CALIBRATION_FILE], _CALIBRATION_FILE)
    loss = decode(files[_LOSS_FILE], _LOSS_FILE)
    reference = decode(files[_REFERENCE_FILE], _REFERENCE_FILE)
    return RiskModel(
        feature_names=names,
        family=manifest["family"],
        head=head,
        calibration=calibration_from_json(calibration, _CALIBRATION_FILE),
        loss=loss_from_json(loss, files, names, _LOSS_FILE, predictor),
        has_arms=manifest["has_arms"],
        tried=tuple((arm[0], arm[1]) for arm in manifest["arms_tried"]),
        reference=Reference.from_json(reference, names, _REFERENCE_FILE),
    )


_KINDS: Final[dict[str, type]] = {
    "format": int,
    "schema_version": int,
    "family": str,
    "size": int,
    "features": list,
    "feature_definitions": dict,
    "features_sha256": str,
    "has_arms": bool,
    "arms_tried": list,
    "files": dict,
}


def _checked_manifest(manifest: Any, where: str) -> dict[str, Any]:
    """Check the shape of a manifest before anything is made of it."""
    mend = "Save the model again with this version of relimit."
    if not isinstance(manifest, dict):
        raise ModelError("is no manifest", where=where, mend=mend)
    wrong = [key for key, kind in _KINDS.items() if type(manifest.get(key)) is not kind]
    if wrong:
        raise ModelError(f"absent or of the wrong type: {wrong}", where=where, mend=mend)
    for key, ours in (("format", FORMAT), ("schema_version", SCHEMA_VERSION)):
        if manifest[key] != ours:
            raise ModelError(
                f"{key} {manifest[key]} where {ours} can be read", where=where, mend=mend
            )
    names, definitions = manifest["features"], manifest["feature_definitions"]
    fits = sorted(map(str, names)) == sorted(definitions) and len(set(definitions)) == len(names)
    if not fits or manifest["features_sha256"] != sha256(encode([names, definitions])):
        raise ModelError("the feature list doesn't fit its hash", where=where, mend=mend)
    strangers = [
        arm for arm in manifest["arms_tried"] if arm not in [list(known) for known in ARMS]
    ]
    if strangers:
        raise ModelError(f"arms that are none of the 25: {strangers[:3]}", where=where, mend=mend)
    if not all(_is_listing(stated) for stated in manifest["files"].values()):
        raise ModelError("a file without its size and SHA-256", where=where, mend=mend)
    return manifest


def _is_listing(stated: Any) -> bool:
    return (
        isinstance(stated, dict)
        and type(stated.get("bytes")) is int
        and isinstance(stated.get("sha256"), str)
        and re.fullmatch(r"[0-9a-f]{64}", stated["sha256"]) is not None
    )


def _golden(model: RiskModel) -> dict[str, object]:
    rows = model.reference.golden_rows()
    return {
        "rows": rows,
        "freed": _GOLDEN_FREED,
        "log_odds": model.log_odds(rows),
        "risk": model.restoration_risk(rows),
        "expected_loss": model.expected_loss(rows, np.full(len(rows), _GOLDEN_FREED)),
    }


def _check_golden(model: RiskModel, golden: Any, where: str) -> None:
    """Ask for known answers again.

    Log-odds are sums and come back to the last bit anywhere; the exponential behind the risk
    may differ in its last bits from one processor to another.
    """
    try:
        rows = np.array(golden["rows"], dtype=np.float64).reshape(-1, len(model.feature_names))
        freed = np.full(len(rows), golden["freed"])
        same = (
            np.array_equal(model.log_odds(rows), golden["log_odds"])
            and np.allclose(model.restoration_risk(rows), golden["risk"], rtol=1e-9, atol=0)
            and np.allclose(model.expected_loss(rows, freed), golden["expected_loss"], rtol=1e-9)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"no known answers ({error!r})", where=where, mend="Save the model again."
        ) from error
    if not same or not len(rows):
        raise ModelError(
            f"{len(rows)} known rows don't get the answers they got when the model was saved",
            where=where,
            mend="Install the library versions in the manifest, or train again.",
        )
