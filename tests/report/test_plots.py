"""Pictures of an evaluation."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from figures import evaluation_figures

from sightline.report.plots import pictures


@pytest.mark.parametrize("name", ["reliability", "risk_coverage"])
def test_pictures_stand_alone(name: str) -> None:
    """Each picture is well-formed SVG with a style of its own and words for those who cannot see it."""
    root = ET.fromstring(pictures(evaluation_figures(["cat", "dog"]))[name])  # noqa: S314 — our own file
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["aria-label"]
    assert root.find("{http://www.w3.org/2000/svg}style") is not None
    assert root.findall("{http://www.w3.org/2000/svg}circle")


def test_confusion_matrix_has_a_cell_for_each_pair() -> None:
    """Names, counts, and titles that tell what a cell is; of very many classes there is no picture."""
    names = ['<b>scratch</b> & "dent"', "dog", "emu"]
    root = ET.fromstring(pictures(evaluation_figures(names))["confusion"])  # noqa: S314 — our own file
    cells = root.findall("{http://www.w3.org/2000/svg}rect")
    assert len(cells) == 9
    assert f"true {names[0]}, predicted dog: 3" in {cell[0].text for cell in cells}
    assert "confusion" not in pictures(evaluation_figures([f"n{number}" for number in range(61)]))


def test_no_dot_without_a_threshold() -> None:
    """Where no threshold was found the curve stands alone."""
    figures = evaluation_figures(["cat", "dog"])
    figures["abstention"] = {"wanted_accuracy": 0.99, "threshold": None, "coverage": None, "accuracy": None}
    assert "circle" not in pictures(figures)["risk_coverage"]
