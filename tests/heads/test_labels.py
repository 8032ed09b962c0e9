"""How labels are read: one name, or a set of names."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from sightline.heads.known import HEADS
from sightline.heads.labels import CLASSIFY, LABELS, MULTILABEL, joined, names_of, noted, shown
from sightline.params import Task

ONE, SEVERAL = LABELS[CLASSIFY], LABELS[MULTILABEL]


def texts(*values: str | None) -> pd.Series:
    return pd.Series(list(values), dtype="string")


def test_every_task_has_a_head_and_reads_labels() -> None:
    """What `project.task` may say is what there are implementations of."""
    assert set(get_args(Task)) == set(HEADS) == set(LABELS)
    assert all(head.name == name for name, head in HEADS.items())


def test_first_task_is_noted_nowhere() -> None:
    """Files that tell of one label each stay what they were before there were other tasks."""
    assert (noted(CLASSIFY), noted(MULTILABEL)) == ({}, {"task": MULTILABEL})


@pytest.mark.parametrize(
    ("text", "names"),
    [("cat;dog", ["cat", "dog"]), (" dog ; cat;dog;", ["cat", "dog"]), (";", []), ("cafe\u0301", ["caf\u00e9"])],
)
def test_set_is_read_in_one_spelling(text: str, names: list[str]) -> None:
    """Order, repetition, blanks and the form of accents make no other set."""
    assert names_of(text) == names
    assert names_of(joined(names)) == names


def test_no_class_is_a_label_and_no_label_is_none() -> None:
    """An image that shows none of the classes is told from one that nobody has labelled."""
    assert SEVERAL.normal(texts(";", None, "b;a")).tolist() == [";", pd.NA, "a;b"]
    each = SEVERAL.each(texts(";", None, "b;a"))
    assert (each.tolist(), each.index.tolist()) == (["a", "b"], [2, 2])
    assert (shown(";"), shown("a;b")) == ("none of the classes", "a;b")


def test_targets_are_rows_of_bits() -> None:
    """1 where an image shows the class; one name gives the number of the class."""
    assert SEVERAL.targets(texts("a;c", ";", "b"), ["a", "b", "c"], 8).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert ONE.targets(texts("b", "a"), ["a", "b"], 8).tolist() == [1, 0]
    assert ONE.targets(texts("b", "a"), ["a", "b"], 8).dtype == np.int64


def test_copies_agree_on_all_that_they_show_or_contradict() -> None:
    """A file in two class folders shows both classes, or is a contradiction where an image has one."""
    assert (SEVERAL.agreed(["b", "a;c"]), ONE.agreed(["a", "b"])) == ("a;b;c", None)


def test_set_is_refused_where_one_label_is_learned() -> None:
    """With the remedy; a set of one is a label all the same."""
    assert "project.task" in str(ONE.fault("a;b"))
    assert "no class" in str(ONE.fault(";"))
    assert (ONE.fault("a"), SEVERAL.fault("a;b"), SEVERAL.fault(";")) == (None, None, None)


def test_name_with_a_semicolon_is_one_class_where_an_image_has_one() -> None:
    """Nothing is split that is no set."""
    assert ONE.each(texts("a;b")).tolist() == ["a;b"]
    assert list(ONE.members(texts("a;b", "c"))) == ["a;b", "c"]


def test_image_is_a_member_of_each_of_its_classes() -> None:
    """Slices and counts see it under every name."""
    found = {name: inside.tolist() for name, inside in SEVERAL.members(texts("a;b", None, "b")).items()}
    assert found == {"a": [True, False, False], "b": [True, False, True]}


def test_telling_of_a_task_waits_for_no_torch() -> None:
    """The command line and the pages name tasks, and load in a fraction of the time that torch takes."""
    code = "import sys, sightline.heads.known, flows.cli.app, flows.complete; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
