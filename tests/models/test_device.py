"""Switches of the process: set while somebody needs them, and as before afterwards."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch

from sightline.errors import ConfigError
from sightline.models.device import exact, repeatable


def switches() -> list[str]:
    backends: Any = torch.backends
    return [backends.cudnn.conv.fp32_precision, backends.cuda.matmul.fp32_precision]


def test_exact_is_float32_until_the_last_one_leaves() -> None:
    """Neither TF32 in convolutions nor in products, however they were set, while any thread is inside."""
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    before, entered, leave = switches(), threading.Event(), threading.Event()

    def other() -> None:
        with exact():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    try:
        assert before == ["tf32", "tf32"]
        thread.start()
        assert entered.wait(60)
        with exact():
            assert switches() == ["ieee", "ieee"]
        assert switches() == ["ieee", "ieee"]
        leave.set()
        thread.join()
        assert switches() == before
    finally:
        leave.set()
        torch.backends.cuda.matmul.fp32_precision = "none"


def test_error_inside_leaves_the_switches_as_before() -> None:
    """Whatever ends the block."""
    before = switches()
    with pytest.raises(ValueError, match="inside"), exact():
        raise ValueError("inside")
    assert switches() == before


def test_repeatable_takes_what_promises_the_same_bits() -> None:
    """Deterministic algorithms without a race between them, until the block ends; unwanted it changes nothing."""
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark
    cudnn.benchmark = True
    try:
        for wanted in (False, True):
            with repeatable(wanted):
                assert torch.are_deterministic_algorithms_enabled() == wanted
                assert (cudnn.deterministic, cudnn.benchmark) == (wanted, not wanted)
            assert not torch.are_deterministic_algorithms_enabled()
            assert (cudnn.deterministic, cudnn.benchmark) == (False, True)
    finally:
        cudnn.benchmark = before


def test_network_without_such_algorithms_is_told() -> None:
    """What torch cannot repeat ends with the value to change; other errors stay as they are."""
    pool, values = torch.nn.MaxUnpool2d(2), torch.ones(1, 1, 1, 1)
    with (
        pytest.raises(ConfigError, match=r"project\.deterministic = true: max_unpool.*Set it to false"),
        repeatable(True),
    ):
        pool(values, torch.zeros(1, 1, 1, 1, dtype=torch.long))
    with pytest.raises(RuntimeError, match="inside"), repeatable(True):
        raise RuntimeError("inside")
