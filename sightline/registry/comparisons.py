"""What the gate may spend: which test releases there are, and which comparisons each was used for.

Whoever compares many candidates on the same images will find one that looks better by luck. So every comparison takes a
place before any answer is looked at, and the places are few.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sightline.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Sequence

_METADATA = sa.MetaData()
_RELEASES = sa.Table(
    "releases",
    _METADATA,
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("images", sa.Text, nullable=False),
    # Releases that share images share their count of comparisons.
    sa.Column("series", sa.String, nullable=False),
)
_COMPARISONS = sa.Table(
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


class Comparisons:
    """The tables in the ledger's database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        try:
            _METADATA.create_all(engine, checkfirst=True)
        except sa.exc.OperationalError:
            # Another process made the tables between our look and our try.
            _METADATA.create_all(engine, checkfirst=True)

    def series(self, model: str, name: str, digest: str, images: Sequence[str]) -> str:
        """The name under which comparisons on this release are counted; a release is noted at its first use.

        The count starts anew only with a release of which at least half of the images were in none before; otherwise it
        goes on with the release that it shares most with. Raises RegistryError where a known release has changed.
        """
        with self._engine.connect() as connection:
            known = connection.execute(sa.select(_RELEASES).where(_RELEASES.c.model == model)).all()
        for one in known:
            if one.name == name:
                if one.digest != digest:
                    raise RegistryError(
                        f"test release {name} is stale: its list of images is not the one that the ledger knows under "
                        f"this name; bring data/releases/{name}.json back, or name a new release"
                    )
                return str(one.series)
        series = _series(name, images, {one.name: (one.series, set(json.loads(one.images))) for one in known})
        values = {"model": model, "name": name, "digest": digest, "images": json.dumps(list(images)), "series": series}
        try:
            with self._engine.begin() as connection:
                connection.execute(_RELEASES.insert().values(**values))
        except sa.exc.IntegrityError:
            return self.series(model, name, digest, images)
        return series

    def spend(self, model: str, series: str, version: str, champion: str, rule: str, most: int) -> int:
        """Take a place among the `most` comparisons of a series, before looking at any answer; its number from 1.

        The same comparison asked for again keeps its place. Raises RegistryError where none is left.
        """
        of_series = sa.and_(_COMPARISONS.c.model == model, _COMPARISONS.c.series == series)
        wanted = {"version": version, "champion": champion, "rule": rule}
        while True:
            with self._engine.connect() as connection:
                taken = connection.execute(sa.select(_COMPARISONS).where(of_series)).mappings().all()
            for row in taken:
                if all(row[key] == value for key, value in wanted.items()):
                    return int(row["place"])
            if len(taken) >= most:
                raise RegistryError(
                    f"{len(taken)} comparisons were made on test release {series} and those that share its images, and "
                    f"{most} is the most: name a new release (evaluate.release) at least half of whose images are new"
                )
            values = {"model": model, "series": series, "place": len(taken) + 1, **wanted}
            try:
                with self._engine.begin() as connection:
                    connection.execute(_COMPARISONS.insert().values(**values))
            except sa.exc.IntegrityError:
                continue  # another process took the place
            return len(taken) + 1


def _series(name: str, images: Sequence[str], known: dict[str, tuple[str, set[str]]]) -> str:
    seen: set[str] = set().union(*(those for _, those in known.values()))
    if 2 * len(set(images) - seen) >= len(set(images)):
        return name
    nearest = max(known, key=lambda one: len(known[one][1] & set(images)))
    return known[nearest][0]
