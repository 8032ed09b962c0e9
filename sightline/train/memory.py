"""Memory that is used again instead of being given back and asked for at each step."""

from __future__ import annotations

import ctypes
from functools import cache

TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
"""Numbers of mallopt(3)."""


@cache
def keep_freed() -> None:
    """Let glibc keep what is freed, for this process and from now on; elsewhere do nothing.

    A block above 32 MB, such as a batch of 64 images of 224 px, otherwise comes fresh from the system each time, and
    its pages are zeroed one by one as they are touched: two fifths of the time that the loader takes. Smaller blocks at
    the end of the heap are given back and come anew as well: a tenth to a half of the time of a step on the CPU. One
    arena for all threads, so that one's memory serves the other.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for option, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, 2**31 - 1), (ARENA_MAX, 1)):
        mallopt(option, value)
