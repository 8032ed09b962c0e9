"""Where a detector's backbone begins: it answers as the pretrained one, and learns as fast as a fresh one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from sightline.models import zoo
from sightline.models.beginning import begin_from
from sightline.models.detector import build

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 64
NORMALISED = {"cnn": 6, "resnet18": 20, "mobilenet_v3_small": 34, "regnet_y_400mf": 53}


def pretrained(network: str) -> nn.Module:
    """A backbone whose weights and statistics are not those of a fresh one."""
    torch.manual_seed(1)
    backbone = zoo.build(network, 1, SIZE).backbone
    with torch.no_grad():
        for one in backbone.parameters():
            one.mul_(1 + 2 * torch.rand(()))
        for name, statistic in backbone.named_buffers():
            if name.endswith("running_var"):
                statistic.copy_(torch.rand_like(statistic))
            elif name.endswith("running_mean"):
                statistic.copy_(torch.randn_like(statistic))
    return backbone.eval()


def lengths(backbone: nn.Module) -> dict[str, float]:
    """Of each convolution's weights."""
    return {name: float(one.detach().norm()) for name, one in backbone.named_parameters() if one.ndim == 4}


@pytest.mark.parametrize("network", NORMALISED)
def test_answers_stay_and_lengths_are_those_of_a_fresh_one(network: str) -> None:
    given = pretrained(network)
    torch.manual_seed(0)
    taker = build(network, 3, SIZE).backbone
    fresh = lengths(taker)
    begin_from(taker, given.state_dict(), SIZE)
    assert taker.training
    images = torch.randn(4, 3, SIZE, SIZE)
    with torch.no_grad():
        answers = given(images)
        assert (taker.eval()(images) - answers).abs().max() < 1e-3 * answers.abs().max()
    before, now = lengths(given), lengths(taker)
    as_fresh = [name for name in now if now[name] == pytest.approx(fresh[name], rel=1e-4)]
    assert len(as_fresh) == NORMALISED[network]
    # Others have a bias, or no batch normalisation behind them: their lengths matter.
    assert all(now[name] == pytest.approx(before[name], rel=1e-6) for name in now.keys() - as_fresh)


class Around(nn.Module):
    """What is before the normalisation goes around it, too."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.block = nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1, bias=False))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Both, side by side."""
        one = self.stem(images)
        return torch.cat([one, self.block(one)], 1)


def biased() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


@pytest.mark.parametrize("made", [Around, biased])
def test_convolutions_whose_length_matters_keep_it(made: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    given, taker = made().eval(), made()
    begin_from(taker, given.state_dict(), SIZE)
    for one, other in zip(given.parameters(), taker.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_convolution_of_zeros() -> None:
    """Pruned, or fresh: there is no length to give it, and nothing becomes infinite."""
    taker = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
    given = {name: one.clone() for name, one in taker.state_dict().items()}
    given["0.weight"].zero_()
    begin_from(taker, given, SIZE)
    assert all(torch.isfinite(one).all() for one in taker.state_dict().values())
    assert not taker.state_dict()["0.weight"].any()
