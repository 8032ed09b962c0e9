"""A user's own files that bear the names of our modules and of those that we import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("tasks.py", "flows/__init__.py", "base64.py", "torch.py", "json.py", "sightline.py", "grimp.py", "uvicorn.py")
"""Names of which each stands for a module that some process of ours imports."""


def plant(folder: Path, canary: Path) -> None:
    """Put such files into `folder`: each adds its place to the file `canary` when it is imported."""
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"with open({str(canary)!r}, 'a') as file:\n    file.write(__file__ + '\\n')\n")
