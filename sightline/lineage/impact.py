"""What an image touched: versions of data sets, models and promotions, with its part in each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.data.manifest import OK
from sightline.data.versions import archive, history
from sightline.digests import file_digest
from sightline.errors import DataError, RegistryError, SightlineError
from sightline.evaluate import release
from sightline.lineage import origin
from sightline.registry.opening import open_ledger
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from sightline.project import Paths
    from sightline.registry.ledger import Entry
    from sightline.tracking.runs import Tracker

FEWEST_DIGITS = 6
"""Of a digest's beginning, so that a misspelt path is not taken for one."""
PARTS = {
    "train": "trained on it",
    "val": "chosen by it",
    "calib": "calibrated on it",
    "test": "tested on it",
}
"""Role → what a model that was made from the data set version did with the image."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """The image that is asked about: a whole digest where the file is there, else the text."""

    said: str
    sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Held:
    """One entry of the image in one version of a data set; copies have one each."""

    use: str
    version: str
    path: str
    label: str | None
    role: str | None
    status: str
    """ok, held_back or quarantined: only what is ok goes into models."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A registered version, and the versions of the data that its weights were built on."""

    model: str
    version: str
    aliases: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    """Data set → version."""
    release: str | None = None
    """Digest of the test release that it was evaluated on; None where it was on none."""


@dataclass(frozen=True, kw_only=True)
class Touched:
    """A registered version that the image went into."""

    model: str
    version: str
    aliases: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A row of the ledger about such a version."""

    model: str
    version: str
    at: str
    decision: str
    reason: str
    parts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Impact:
    """All that an image touched."""

    image: str
    sha256: str
    data: tuple[Held, ...]
    models: tuple[Touched, ...] | None
    """None where MLflow does not answer, and nobody knows."""
    promotions: tuple[Decided, ...] | None
    """None where MLflow or the ledger do not answer."""
    unknown: tuple[str, ...]
    """What could not be asked: the image may have touched it too."""


def given(text: str) -> Given:
    """What the user means by `text`: a file, seen from the working directory, or else a digest or a former path."""
    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:
        is_file = False  # Longer than a name may be.
    return Given(said=text, sha256=file_digest(path) if is_file else None)


def find_impact(paths: Paths, image: Given) -> Impact:
    """Everything that the image touched in the project.

    Raises DataError where a digest or a former path fits no image of any version, or several.
    """
    unknown: list[str] = []
    models: list[Model] = []
    asked = {"models", "promotions"}
    try:
        models = _models(connect(paths), unknown)
    except RegistryError as error:
        asked.clear()
        unknown.append(f"models and their promotions: {error}")
    tables = _tables(paths, models, unknown)
    releases = {one.digest: frozenset(one.images) for one in release.known(paths)}
    sha256 = image.sha256 or _resolve(image.said, tables)
    entries: list[Entry] = []
    try:
        ledger = open_ledger(paths)
    except SightlineError as error:
        asked.discard("promotions")
        unknown.append(f"promotions: {error}")
    else:
        entries = [row for name in sorted({one.model for one in models}) for row in ledger.history(name)]
        ledger.close()
    data, touched, decided = touched_by(sha256, tables, releases, models, entries)
    return Impact(
        image=image.said,
        sha256=sha256,
        data=data,
        models=touched if "models" in asked else None,
        promotions=decided if "promotions" in asked else None,
        unknown=tuple(unknown),
    )


def touched_by(
    sha256: str,
    tables: Mapping[tuple[str, str], pd.DataFrame],
    releases: Mapping[str, frozenset[str]],
    models: Sequence[Model],
    entries: Iterable[Entry],
) -> tuple[tuple[Held, ...], tuple[Touched, ...], tuple[Decided, ...]]:
    """Where the image stands in `tables` ((data set, version) → manifest), and which models and rows that reaches.

    An image of the test role touches a model through its release (`releases`: digest → images); of a release that is
    not known, every test image of the version is taken to be part.
    """
    held = [one for key, rows in tables.items() for one in _held(*key, rows[rows["sha256"] == sha256])]
    touched = []
    for model in models:
        tested = model.release is not None and sha256 in releases.get(model.release, {sha256})
        into = [
            one
            for one in held
            if one.status == OK and model.data.get(one.use) == one.version and (one.role != "test" or tested)
        ]
        if into:
            parts = tuple(sorted({f"{one.use}: {PARTS[str(one.role)]}" for one in into}))
            touched.append(Touched(model=model.model, version=model.version, aliases=model.aliases, parts=parts))
    parts_of = {(one.model, one.version): one.parts for one in touched}
    decided = [
        Decided(
            model=row.model,
            version=row.version,
            at=row.at,
            decision=row.decision,
            reason=row.reason,
            parts=parts_of[row.model, row.version],
        )
        for row in entries
        if (row.model, row.version) in parts_of
    ]
    return tuple(held), tuple(touched), tuple(decided)


def _held(use: str, version: str, rows: pd.DataFrame) -> list[Held]:
    plain = rows.astype(object).where(rows.notna(), None)
    names = ("path", "label", "role", "status")
    return [Held(use=use, version=version, **{name: row[name] for name in names}) for row in plain.to_dict("records")]


def _models(tracker: Tracker, unknown: list[str]) -> list[Model]:
    """Every registered version, oldest first."""
    found = []
    for name in (tracker.backbone_model, tracker.classifier_model):
        for one in sorted(tracker.versions(name), key=lambda version: int(version.version)):
            # A search leaves the aliases out.
            whole = tracker.version(name, str(one.version))
            aliases = tuple(sorted(map(str, whole.aliases)))
            tags = dict(one.tags)
            data, on = built_on(tags), tags.get("release")
            found.append(Model(model=name, version=str(one.version), aliases=aliases, data=data, release=on))
            if "code" not in tags:
                unknown.append(f"{name} version {one.version} does not say what data it was built on")
    return found


def built_on(tags: Mapping[str, str]) -> dict[str, str]:
    """Data set → version, of those that the weights of a version with these tags were built on."""
    data = {key.removeprefix("data."): value for key, value in tags.items() if key.startswith("data.")}
    if tags.get("stage") == origin.SCRATCH:
        data.pop("source", None)
    return data


def _tables(paths: Paths, models: Iterable[Model], unknown: list[str]) -> dict[tuple[str, str], pd.DataFrame]:
    """The manifest of every version that the logs or the models name, and what of them is gone."""
    tables: dict[tuple[str, str], pd.DataFrame] = {}
    logged = [(use, entry.version) for use in sorted(paths.params.datasets) for entry in history.read(paths, use)]
    for use, version in dict.fromkeys([*logged, *(pair for model in models for pair in model.data.items())]):
        try:
            tables[use, version] = archive.rows(paths, archive.Version(use, version, None))
        except DataError as error:
            unknown.append(f"version {version[: history.SHORT]} of {use}: {error}")
    return tables


def _resolve(said: str, tables: Mapping[tuple[str, str], pd.DataFrame]) -> str:
    """The one digest that begins with `said`, or that a former file of that path had."""
    place = said.replace("\\", "/")
    fitting: set[str] = set()
    for (use, _), rows in tables.items():
        inside = place.removeprefix(f"data/raw/{use}/")
        fitting |= set(rows.loc[rows["path"] == inside, "sha256"])
        if re.fullmatch(rf"[0-9a-fA-F]{{{FEWEST_DIGITS},64}}", said):
            fitting |= set(rows.loc[rows["sha256"].str.startswith(said.lower()), "sha256"])
    if len(fitting) == 1:
        return fitting.pop()
    if fitting:
        raise DataError(f"{said} fits {len(fitting)} images: {', '.join(sorted(fitting)[:5])}; give more digits")
    raise DataError(
        f"{said} is no file here, and no image of any version of the data has such a path or a SHA-256 that begins so "
        f"({FEWEST_DIGITS} digits at least)"
    )
