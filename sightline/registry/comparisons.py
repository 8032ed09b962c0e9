"""Which test releases there are, and which comparisons were made: what `wealth` is counted by.

Whoever compares many candidates on the same images will find one that looks better by luck. So every comparison takes a
place before it is looked at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sightline.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE_TRIES = 3
_METADATA = sa.MetaData()
_RELEASES = sa.Table(
    "releases",
    _METADATA,
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("images", sa.Text, nullable=False),
    # Of ledgers from before: under which name its comparisons were counted.
    sa.Column("series", sa.String, nullable=False),
)
# Of ledgers from before, whose places were counted by release: they stand before those of `spent`.
_EARLIER = sa.Table(
    "comparisons",
    _METADATA,
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("series", sa.String, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("champion", sa.String, nullable=False),
    sa.Column("rule", sa.String, nullable=False),
    sa.UniqueConstraint("model", "series", "version", "champion", "rule"),
)
_SPENT = sa.Table(
    "spent",
    _METADATA,
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("release", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("champion", sa.String, nullable=False),
    sa.Column("rule", sa.String, nullable=False),
    sa.UniqueConstraint("model", "release", "version", "champion", "rule"),
)
_EARNED = sa.Table(
    "earned",
    _METADATA,
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("release", sa.String, primary_key=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("families", sa.Float, nullable=False),
)


class Comparisons:
    """The tables in the ledger's database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        make_tables(_METADATA, engine)

    def note(self, model: str, name: str, digest: str, images: Sequence[str]) -> None:
        """Remember a release at its first use: the share of its images that no release had before is earned.

        Raises RegistryError where a known release has changed.
        """
        with self._engine.connect() as connection:
            known = connection.execute(sa.select(_RELEASES).where(_RELEASES.c.model == model)).all()
        for one in known:
            if one.name == name:
                if one.digest != digest:
                    raise RegistryError(
                        f"test release {name} is stale: its list of images is not the one that the ledger knows under "
                        f"this name; bring data/releases/{name}.json back, or make a new one "
                        "(`sightline data release NAME`)"
                    )
                return
        seen: set[str] = set().union(*(json.loads(one.images) for one in known))
        families = len(set(images) - seen) / len(set(images)) if known else 0.0
        values = {"model": model, "name": name, "digest": digest, "images": json.dumps(list(images)), "series": name}
        try:
            with self._engine.begin() as connection:
                connection.execute(_RELEASES.insert().values(**values))
                after = self._last(connection, model)
                earned = {"model": model, "release": name, "place": after, "families": families}
                connection.execute(_EARNED.insert().values(**earned))
        except sa.exc.IntegrityError:
            self.note(model, name, digest, images)

    def releases(self, model: str) -> set[str]:
        """Names of the test releases on which versions were judged."""
        query = sa.select(_RELEASES.c.name).where(_RELEASES.c.model == model)
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def earned(self, model: str) -> list[tuple[int, float]]:
        """What new test images have earned: after which place, and how many families."""
        query = sa.select(_EARNED.c.place, _EARNED.c.families).where(_EARNED.c.model == model)
        with self._engine.connect() as connection:
            return [(int(row.place), float(row.families)) for row in connection.execute(query).all()]

    def spend(
        self, model: str, release: str, version: str, champion: str, rule: str, night: int = 0
    ) -> tuple[int, int]:
        """Take a place, before looking whether the candidate is better; the place taken before it, 0 for none, and it.

        It is that of the `night`, with all that were left before it, and the next where that is taken. The same
        comparison asked for again keeps its place.
        """
        wanted = {"model": model, "release": release, "version": version, "champion": champion, "rule": rule}
        while True:
            with self._engine.connect() as connection:
                taken = connection.execute(sa.select(_SPENT.c.place).filter_by(**wanted)).scalar()
                after = self._last(connection, model, taken)
            if taken is not None:
                return after, int(taken)
            place = max(after + 1, night)
            try:
                with self._engine.begin() as connection:
                    connection.execute(_SPENT.insert().values(**wanted, place=place))
            except sa.exc.IntegrityError:
                continue  # another process took the place
            return after, place

    def last(self, model: str) -> int:
        """The place that was taken last; 0 for none."""
        with self._engine.connect() as connection:
            return self._last(connection, model)

    def made(self, model: str, release: str, champion: str, rule: str) -> dict[str, int]:
        """The versions that were compared with that champion on that release, each with its place."""
        query = sa.select(_SPENT.c.version, _SPENT.c.place)
        query = query.filter_by(model=model, release=release, champion=champion, rule=rule)
        with self._engine.connect() as connection:
            return {str(row.version): int(row.place) for row in connection.execute(query).all()}

    @staticmethod
    def _last(connection: sa.Connection, model: str, below: int | None = None) -> int:
        """The place that was taken last, of those below that one."""
        query = sa.select(sa.func.max(_SPENT.c.place)).where(_SPENT.c.model == model)
        last = connection.execute(query if below is None else query.where(_SPENT.c.place < below)).scalar()
        before = sa.select(sa.func.count()).select_from(_EARLIER).where(_EARLIER.c.model == model)
        return int(last) if last is not None else int(connection.execute(before).scalar() or 0)


def make_tables(tables: sa.MetaData, engine: sa.Engine) -> None:
    """Make the tables that are not there yet; of several processes at once, one does."""
    for left in reversed(range(TABLE_TRIES)):
        try:
            tables.create_all(engine, checkfirst=True)
        except sa.exc.DBAPIError:
            # Another process made one between our look and our try; each database has an error of its own for that.
            if not left:
                raise
        else:
            return
