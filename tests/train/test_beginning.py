"""Whether a run begins with a backbone that comes with Sightline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sightline import config
from sightline.models import shipped
from sightline.scaffold import template
from sightline.train import chain
from sightline.train.beginning import FEW, begun

if TYPE_CHECKING:
    from sightline.params import Params


@pytest.fixture
def params() -> Params:
    """Of a project around images of one's own, without a source."""
    known = config.load(template(config.PARAMS).parent)
    alone = replace(known, datasets={"target": known.datasets["target"]})
    return replace(alone, pretrain=replace(alone.pretrain, network="cnn", init=shipped.FRACTALS))


def test_few_labels_begin_with_it_by_its_digest(params: Params) -> None:
    """Up to so many images per class the backbone is named exactly, and all ways are trained."""
    ready, said = begun(params, FEW * 4, 4)
    assert (ready.pretrain.init, said) == (shipped.exact(shipped.FRACTALS, "cnn"), "")
    assert "@" in str(ready.pretrain.init)
    assert chain.stages_of(ready)[-1] == "scratch"
    assert len(chain.stages_of(ready)) == len(chain.FROM_BACKBONE) + 1
    assert begun(ready, FEW * 4, 4) == (ready, "")


def test_many_labels_begin_without_it(params: Params) -> None:
    """With more images per class nothing is trained but from scratch, and it is said; a source is pretrained on."""
    ready, said = begun(params, FEW * 4 + 1, 4)
    assert chain.stages_of(ready) == ("scratch",)
    assert "embedded:fractals is left out" in said
    own = replace(params, datasets=config.load(template(config.PARAMS).parent).datasets)
    ready, said = begun(own, FEW * 4 + 1, 4)
    assert (ready.pretrain.init, said) == (shipped.exact(shipped.FRACTALS, "cnn"), "")


def test_other_network_begins_without_it(params: Params) -> None:
    """A network that there are no weights for is trained from scratch, and it is said."""
    ready, said = begun(replace(params, pretrain=replace(params.pretrain, network="resnet18")), 10, 4)
    assert chain.stages_of(ready) == ("scratch",)
    assert said == "embedded:fractals has weights for cnn: resnet18 begins without a backbone"


def test_other_weights_stay_as_they_are(params: Params) -> None:
    """Given weights that are no backbone of ours are left to the run, whatever the number of labels."""
    for init in (None, "weights.pt", "registry:toy-backbone/1"):
        given = replace(params, pretrain=replace(params.pretrain, init=init))
        assert begun(given, 10_000, 4) == (given, "")
