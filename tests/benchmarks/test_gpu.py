"""The GPU benchmark where there is no GPU."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_miniature_runs_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way makes its steps on the CPU, and every figure of the whole run comes out."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    figures = gpu.measure(gpu.MINIATURE)
    assert set(gpu.MARKS) <= set(figures)
    assert all(value > 0 for value in figures.values())


def test_miniature_tells_no_figure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What a miniature measured is not told as a measurement."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    monkeypatch.setattr(sys, "argv", ["gpu.py", "--quick"])
    monkeypatch.setattr(gpu, "measure", lambda _: {"resnet50_over_best_peer": 2.0})
    gpu.main()
    told = capsys.readouterr().out
    assert "not measured" in told
    assert '"figures": {}' in told
