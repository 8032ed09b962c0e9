"""The promotion ledger: an append-only table that says which version became champion, when, by whom and why.

It is the truth; the aliases in the registry are its projection and are set after the row is committed. A row that
changes the champion is accepted only while the champion is still the one that the evidence was compared with, so that
of two promotions at once one wins and the other is told. A row names the bundle that it is about by its digest: a
version's number alone says little where a registry was renamed, emptied, restored or exchanged.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sightline.digests import digest_of
from sightline.errors import RegistryError, Stale
from sightline.registry.blessing import SERVING
from sightline.registry.comparisons import Comparisons, make_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROMOTED, REFUSED, ROLLED_BACK = "promoted", "refused", "rolled back"
INSUFFICIENT, WAITING, UNCHANGED = "insufficient", "waiting", "unchanged"
SET_BACK = "set back"
CHANGES = (PROMOTED, ROLLED_BACK)
ADDED = ("bundle", "seal")
"""Columns that a table of an earlier release lacks."""
_WAITS: dict[str, dict[str, int]] = {"sqlite": {"timeout": 60}, "postgresql": {"connect_timeout": 10}}
"""Seconds that a process waits for another one to finish writing a file, or for a server to answer."""

_METADATA = sa.MetaData()
_ROWS = sa.Table(
    "promotions",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("model", sa.String, nullable=False, index=True),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("champion_before", sa.String),
    sa.Column("decision", sa.String, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("evidence", sa.String, nullable=False),
    # Each change of champion has a number of its own per model: of two at once, the database refuses one.
    sa.Column("change", sa.Integer),
    # None in rows that were written before these columns were there.
    sa.Column("bundle", sa.String),
    sa.Column("seal", sa.String),
    sa.UniqueConstraint("model", "change"),
)
TABLE = _ROWS.name
SEALED = tuple(column.name for column in _ROWS.columns if column.name not in {"id", "seal"})
_PROJECTED = sa.Table(
    "projected",
    _METADATA,
    # A row says that the aliases were set as this change wants them: what differs later was set by a person.
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("change", sa.Integer, primary_key=True),
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One decision."""

    model: str
    version: str
    champion_before: str | None
    decision: str
    actor: str
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)
    at: str = ""
    change: int | None = None
    bundle: str | None = None
    """`tree_digest` of the version's bundle; None where it is not known."""


@dataclass(frozen=True)
class Identity:
    """Which version a row is about."""

    version: str
    bundle: str | None
    """`tree_digest` of its bundle; None where the row is older than that."""
    weights: str | None
    """SHA-256 of its weights, which the evidence names in rows of any age; None where nothing was compared."""

    def is_same(self, bundle: str | None, weights: str | None) -> bool:
        """Whether a version with these digests is the one that is meant."""
        if self.bundle is not None:
            return bundle == self.bundle
        return self.weights in {None, weights}


@dataclass(frozen=True)
class Standing:
    """Who is champion by the ledger."""

    change: int
    """Number of the last change; 0 before the first."""
    champion: Identity | None
    previous: Identity | None
    """The champion that a rollback brings back: rolled back ones do not count."""
    projected: bool
    """Whether the aliases were set since that change."""


class Ledger:
    """The tables at a database address."""

    def __init__(self, uri: str) -> None:
        self._engine = sa.create_engine(uri, connect_args=_WAITS.get(sa.make_url(uri).get_backend_name(), {}))
        try:
            make_tables(_METADATA, self._engine)
            for name in ADDED:
                _add_column(self._engine, name)
            self.comparisons = Comparisons(self._engine)
        except BaseException:
            self.close()
            raise

    def champion(self, model: str) -> str | None:
        """The version that the last change made champion."""
        return _number(self.standing(model).champion)

    def previous(self, model: str) -> str | None:
        """The champion before the present one, as `Standing.previous`."""
        return _number(self.standing(model).previous)

    def standing(self, model: str) -> Standing:
        """Champion and previous, from the changes in their order."""
        query = sa.select(_ROWS).where(_ROWS.c.model == model, _ROWS.c.change.is_not(None)).order_by(_ROWS.c.change)
        with self._engine.connect() as connection:
            rows = _whole(connection.execute(query).all())
            change = rows[-1].change if rows else 0
            mark = sa.select(_PROJECTED).where(_PROJECTED.c.model == model, _PROJECTED.c.change == change)
            projected = change == 0 or connection.execute(mark).first() is not None
        reign: list[Identity] = []
        for row in rows:
            if row.decision == ROLLED_BACK:
                reign.pop()
            else:
                reign.append(_identity(row))
        before = reign[-2] if len(reign) > 1 else None
        return Standing(change, reign[-1] if reign else None, before, projected)

    def identity(self, model: str, version: str) -> Identity | None:
        """What the last change to a version says that it is, or else the last row about it; None where no row does."""
        query = sa.select(_ROWS).where(_ROWS.c.model == model, _ROWS.c.version == version).order_by(_ROWS.c.id)
        with self._engine.connect() as connection:
            rows = _whole(connection.execute(query).all())
        changes = [row for row in rows if row.change is not None]
        return _identity((changes or rows)[-1]) if rows else None

    def seals(self, model: str, version: str, bundle: str) -> dict[str, str] | None:
        """The seals of a version's files when it was last judged with that bundle; None where it was not yet."""
        known = [entry.evidence for entry in self.history(model) if (entry.version, entry.bundle) == (version, bundle)]
        return next((one["seals"] for one in reversed(known) if one.get("seals")), None)

    def serving(self, model: str, version: str, bundle: str) -> dict[str, Any] | None:
        """What the check of the serving form last found of a version with that bundle; None where it was not asked."""
        known = [entry.evidence for entry in self.history(model) if (entry.version, entry.bundle) == (version, bundle)]
        asked = [one for found in known for one in found.get("blessings", []) if one["name"] == SERVING]
        return asked[-1]["figures"] if asked else None

    def mark_projected(self, model: str, change: int) -> None:
        """Note that the aliases stand as this change wants them."""
        with suppress(sa.exc.IntegrityError), self._engine.begin() as connection:
            connection.execute(_PROJECTED.insert().values(model=model, change=change))

    def append(self, entry: Entry) -> None:
        """Add a row.

        Raises Stale where the champion is no longer `entry.champion_before`: the comparison is stale then.
        """
        try:
            with self._engine.begin() as connection:
                last = self._last_change(connection, entry.model)
                change = None
                if entry.decision in CHANGES:
                    present = last.version if last else None
                    if present != entry.champion_before:
                        raise Stale(_stale(entry, present))
                    change = (last.change if last else 0) + 1
                connection.execute(_ROWS.insert().values(**_values(entry, change)))
        except sa.exc.IntegrityError:
            raise Stale(_stale(entry, self.champion(entry.model))) from None

    def history(self, model: str) -> list[Entry]:
        """All rows of a model, oldest first."""
        query = sa.select(_ROWS).where(_ROWS.c.model == model).order_by(_ROWS.c.id)
        with self._engine.connect() as connection:
            rows = [row._mapping for row in _whole(connection.execute(query).all())]  # noqa: SLF001 — SQLAlchemy's public name
        own = {one.name for one in fields(Entry)}
        return [
            Entry(**{**{k: v for k, v in row.items() if k in own}, "evidence": json.loads(row["evidence"])})
            for row in rows
        ]

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @staticmethod
    def _last_change(connection: sa.Connection, model: str) -> Any:
        query = sa.select(_ROWS).where(_ROWS.c.model == model, _ROWS.c.change.is_not(None))
        return connection.execute(query.order_by(_ROWS.c.change.desc()).limit(1)).first()


def _add_column(engine: sa.Engine, name: str) -> None:
    """Give a table of an earlier release the column; of several processes at once, one does."""
    if _has_column(engine, name):
        return
    try:
        with engine.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE promotions ADD COLUMN {name} VARCHAR"))
    except sa.exc.DBAPIError:
        if not _has_column(engine, name):
            raise


def _has_column(engine: sa.Engine, name: str) -> bool:
    return any(column["name"] == name for column in sa.inspect(engine).get_columns(_ROWS.name))


def _whole(rows: Sequence[Any]) -> list[Any]:
    """The rows, each of which says what it said when it was written; those from before they were sealed count too."""
    for row in rows:
        if row.seal is not None and row.seal != _sealed({name: getattr(row, name) for name in SEALED}):
            what = f"{row.model} version {row.version}, {row.decision} at {row.at}"
            raise RegistryError(
                f"row {row.id} of the promotion ledger ({what}) was changed since it was written: put a copy of the "
                "ledger back that you trust"
            )
    return list(rows)


def _sealed(values: Mapping[str, Any]) -> str:
    return digest_of({name: values[name] for name in SEALED})


def _identity(row: Any) -> Identity:
    return Identity(row.version, row.bundle, json.loads(row.evidence).get("bound", {}).get("weights"))


def _number(identity: Identity | None) -> str | None:
    return identity.version if identity else None


def _values(entry: Entry, change: int | None) -> dict[str, Any]:
    values = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": entry.model,
        "version": entry.version,
        "champion_before": entry.champion_before,
        "decision": entry.decision,
        "actor": entry.actor,
        "reason": entry.reason,
        "evidence": json.dumps(entry.evidence, sort_keys=True),
        "change": change,
        "bundle": entry.bundle,
    }
    return {**values, "seal": _sealed(values)}


def _stale(entry: Entry, present: str | None) -> str:
    return (
        f"{entry.model}: version {entry.version} was compared with champion {entry.champion_before or 'none'}, but the "
        f"champion is now {present or 'none'}; nothing was changed, promote again"
    )
