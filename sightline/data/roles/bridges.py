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

    def join(self, nodes: Iterable[Hashable], marks: Marks, *, always: bool) -> bool:
        """Make one set of all that holds any of `nodes`, and say whether that was done.

        It is not where a mark would then have two values, unless `always`.
        """
        roots = list(dict.fromkeys(self._root(node) for node in nodes))
        merged: dict[str, set[str]] = {name: {value} if value else set() for name, value in marks.items()}
        for root in roots:
            for name, values in self._marks.get(root, {}).items():
                merged[name] |= values
        if not always and any(len(values) > 1 for values in merged.values()):
            return False
        for root in roots:
            self._parent[root] = roots[0]
        self._marks[roots[0]] = merged
        return True

    def _root(self, node: Hashable) -> Hashable:
        while (above := self._parent.get(node, node)) != node:
            self._parent[node] = self._parent.get(above, above)
            node = above
        return node
