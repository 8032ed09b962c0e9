"""Weights that torchvision publishes by name: of its classification networks, and of the trunks of its detectors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sightline.errors import ModelError
from sightline.models.operators import ensure

if TYPE_CHECKING:
    from torch import Tensor

    from sightline.models.renormalised import Colours

BODY = "backbone.body."
"""Before the names of the tensors that a detector of torchvision has of its trunk."""
MIDDLE = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and spread of pixels from -1 to 1."""
TRANSFORMING = {"googlenet", "inception_v3"}
"""Networks that torchvision lets make such pixels of ImageNet's where they have its weights (`transform_input`)."""


def normalisation(network: str) -> tuple[Colours, Colours]:
    """Mean and spread that the weights of a network expect of pixels."""
    ensure()
    from torchvision import models

    return MIDDLE if network in TRANSFORMING else _expected(models.get_model_weights(network).DEFAULT)


def _expected(weights: Any) -> tuple[Colours, Colours]:
    told = weights.transforms()
    return tuple(told.mean), tuple(told.std)


def named(name: str, network: str) -> Any:
    """The weights of that name; raises ModelError where torchvision has none such for `network`."""
    if network == "cnn":
        raise ModelError(f"init {name!r}: cnn has no weights in torchvision; set pretrain.network to whose they are")
    enums = _enums(network)
    of, _, short = name.rpartition(".")
    # Most networks have an IMAGENET1K_V1: without its first half a name would bring those of another one.
    found = [enum for enum in enums if enum.__name__ == of] if of else enums[:1]
    if not found or short not in found[0].__members__:
        known = ", ".join(f"{enum.__name__}.{member}" for enum in enums for member in enum.__members__)
        raise ModelError(f"init {name!r}: {network} has no such weights, it has {known}; or change pretrain.network")
    chosen = found[0][short]
    # A detector normalises by itself, as ImageNet.
    if found[0] is enums[0] and _expected(chosen) != _expected(found[0].DEFAULT):
        raise ModelError(
            f"init {name!r}: made for pixels at another scale than {network} gets: take {found[0].DEFAULT}"
        )
    return chosen


def weights(name: str, network: str, own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of that name, downloaded unless torch keeps them; `own` are those that the backbone has.

    Those of a detector are its trunk's, trained on boxes; what the backbone has behind its maps stays as it is.
    Raises ModelError where torchvision has no such weights, or they can neither be found nor downloaded.
    """
    chosen = named(name, network)
    try:
        state: dict[str, Tensor] = dict(chosen.get_state_dict(progress=True, check_hash=True))
    except OSError as error:
        raise ModelError(f"init {name!r} is not in torch's cache and cannot be downloaded: {error}") from None
    trunk = {name.removeprefix(BODY): value for name, value in state.items() if name.startswith(BODY)}
    if not trunk:
        return state
    # MobileNets have their maps in a list of their own, which is all that a detector has of them.
    inside = {name.removeprefix("features."): name for name in own}
    return own | {inside[name]: value for name, value in trunk.items()}


def renamed(state: dict[str, Tensor], network: str) -> dict[str, Tensor]:
    """The tensors by today's names: torchvision's files of DenseNets have those of 2017."""
    if not network.startswith("densenet"):
        return state
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d\.)", r"\1\2", name): value for name, value in state.items()}


def _enums(network: str) -> list[Any]:
    """The weights of a network, and of the detectors on its maps."""
    ensure()
    from torchvision import models

    detectors = [one for one in models.list_models(module=models.detection) if f"_{network}_" in one]
    return [models.get_model_weights(one) for one in [network, *detectors]]
