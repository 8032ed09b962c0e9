"""Work on all cores."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from sightline.data.duplicates.hashing import each


def test_products_inside_take_one_thread() -> None:
    """Several in each of ours would wait for one another; afterwards they have theirs again, and the order is kept."""

    def work(number: int) -> tuple[int, set[int]]:
        np.ones((4, 4)) @ np.ones((4, 4))
        return number, _threads()

    with threadpool_limits(2, user_api="blas"):
        assert each(work, range(5)) == [(number, {1}) for number in range(5)]
        assert _threads() == {2}


def _threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
