"""Sets of images that belong together, built one image at a time, so that the one that would join two sides is seen."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

Marks = Mapping[str, str | None]


class Sets:
    """Disjoint sets of nodes (union-find); each set carries marks, such as `role` → the roles of its members."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}
        self._marks: dict[Hashable, dict[str, set[str]]] = {}

    def __contains__(self, node: Hashable) -> bool:
        return node in self._parent

    def join(self, nodes: Iterable[Hashable], marks: Marks, *, always: bool) -> str:
        """Make one set of all that holds any of `nodes`, unless a mark would then have two values.

        Returns what would be joined, in words; an empty text where nothing stands against it. With `always` it is
        joined all the same.
        """
        roots = list(dict.fromkeys(self._root(node) for node in nodes))
        merged = {
            name: set().union(*(self._marks.get(root, {}).get(name, ()) for root in roots), {value} - {None})
            for name, value in marks.items()
        }
        trouble = next(
            (f"two {name}s: {', '.join(sorted(found))}" for name, found in merged.items() if len(found) > 1), ""
        )
        if trouble and not always:
            return trouble
        for root in roots:
            self._parent[root] = roots[0]
        self._marks[roots[0]] = merged
        return ""

    def _root(self, node: Hashable) -> Hashable:
        while (above := self._parent.get(node, node)) != node:
            self._parent[node] = self._parent.get(above, above)
            node = above
        return node
