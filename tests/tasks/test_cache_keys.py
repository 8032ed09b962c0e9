"""What each cache key covers, as it stands in `cache_keys.txt`; run as a script, this file writes that anew."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.data.versions.code import STAGES
from sightline.digests import code_files

ROOT = Path(__file__).parents[2]
EXPECTED = Path(__file__).with_name("cache_keys.txt")
TASKS = ("box_errors", "evaluation", "finetuning", "labels", "pretraining", "transfer")
"""Those whose results are kept; the others run each time."""
KEYS = {
    **{f"task {name}": (f"tasks.{name}", "tasks.context") for name in TASKS},
    "given to a task: Trained": ("sightline.train.result", ""),
    **{f"stage {name}": (module, "") for name, module in STAGES.items()},
    "kept facts of files": ("sightline.data.files.facts", ""),
    "kept near duplicates": ("sightline.data.duplicates.search", ""),
    "training code of a version": ("sightline.train.stages", ""),
}


def covered(module: str, without: str) -> str:
    """The files, a line for each folder; empty `__init__.py` decide nothing and are left out."""
    folders: dict[str, list[str]] = {}
    for path in code_files(module, without):
        if path.name != "__init__.py" or path.read_text(encoding="utf-8").count("\n") > 1:
            folders.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(path.name.removesuffix(".py"))
    return "\n".join(f"    {folder}: {' '.join(names)}" for folder, names in sorted(folders.items()))


def table() -> str:
    return "\n".join(f"{key}\n{covered(*of)}" for key, of in KEYS.items()) + "\n"


def test_keys_cover_what_is_written_down() -> None:
    """A new arrow between modules makes results stale that were not before: it shows here before it does in a run."""
    assert table() == EXPECTED.read_text(encoding="utf-8")


def test_training_knows_nothing_of_evaluation_and_registry() -> None:
    """What is trained is trained again for its own code alone, whatever gate, pages and stores become."""
    for name in ("pretraining", "transfer", "finetuning"):
        rooms = {path.relative_to(ROOT).parts[1] for path in code_files(f"tasks.{name}", "tasks.context")}
        assert not rooms & {"evaluate", "registry", "report", "tracking", "lineage", "serve"}


def test_what_serving_records_decides_nothing_that_is_kept() -> None:
    """Neither a module behind a key nor a stage of DVC reads the section `capture`: another value retrains nothing."""
    sources = {path for of in KEYS.values() for path in code_files(*of)} | {ROOT / "dvc.yaml"}
    assert [path.name for path in sources if re.search(r"\.capture\b|- capture", path.read_text("utf-8"))] == []


def test_digests_are_made_without_importing_what_they_cover() -> None:
    """The code of a stage is read, not run: asking whether anything has changed loads no heavy library."""
    code = "import sys; from sightline.digests import code_digest; code_digest(sys.argv[1]); print(*sys.modules)"
    command = [sys.executable, "-c", code, STAGES["validate"]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "grimp" in done.stdout.split()
    assert not {"pandas", "numpy", "great_expectations"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "template"), [("tasks.labels", "quality.html.j2"), ("tasks.evaluation", "plots.j2")]
)
def test_template_of_an_output_is_covered(module: str, template: str) -> None:
    """A page is made by its template as much as by its code; templates of other pages stay out."""
    assert [path.name for path in code_files(module) if path.suffix == ".j2"] == [template]


if __name__ == "__main__":
    EXPECTED.write_text(table(), encoding="utf-8")
