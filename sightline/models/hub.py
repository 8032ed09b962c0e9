"""Networks of timm, and weights from its hub: the extra `sightline[timm]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from sightline.errors import ModelError
from sightline.models.operators import ensure
from sightline.models.renormalised import factors

if TYPE_CHECKING:
    from types import ModuleType

PREFIX, HUB = "timm:", "hf-hub:"


class Renormalised(nn.Module):
    """A network of timm behind what makes of our normalised pixels those that its weights were trained on.

    The values lie among the weights, so that they go wherever these go: into the bundle, and into every graph.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """`mean` and `std` of each colour, as shares of white; `size` of the images, pixels."""
        super().__init__()
        self.network, self.size = network, size
        for name, value in zip(("scale", "shift"), factors(mean, std), strict=True):
            self.register_buffer(name, value)

    def forward(self, images: Tensor) -> Tensor:
        """Features (N, D) of normalised images (N, 3, H, W)."""
        features: Tensor = self.network(images * self.scale + self.shift)
        return features


def is_of_timm(name: str | None) -> bool:
    """Whether a network or weights are timm's to make."""
    return name is not None and name.startswith((PREFIX, HUB))


def check(name: str, network: str | None = None) -> None:
    """Raise ModelError where timm knows no network, or no weights for `network`, of that name; nothing is fetched.

    What an address of Hugging Face's hub holds is known only when it is fetched.
    """
    if network is not None and not is_of_timm(network):
        raise ModelError(_elsewhere(name, network))
    _check_named(load(), name, pretrained=network is not None)


def backbone(network: str, size: int) -> nn.Module:
    """`timm:NAME` with random weights, without a head.

    Raises ModelError where timm is not installed, has no such network, or cannot make it for images of that size.
    """
    return _made(network, size, pretrained=False)


def weights(init: str, network: str, taker: nn.Module) -> dict[str, Tensor]:
    """The weights for `taker` that `timm:NAME` or `hf-hub:…` names, with their normalisation; fetched unless kept.

    Raises ModelError where they are not of `network`, or can neither be found nor downloaded.
    """
    if not isinstance(taker, Renormalised):
        raise ModelError(_elsewhere(init, network))
    return _made(init, taker.size, pretrained=True).state_dict()


def renamed(state: dict[str, Tensor], taker: Renormalised) -> dict[str, Tensor]:
    """The weights by the names that `taker` has for them, where timm itself wrote them into a file."""
    inside, whole = "network.", taker.state_dict()
    own = {name: value for name, value in whole.items() if not name.startswith(inside)}
    # VOLO has a part called network itself.
    if state.keys() & (whole.keys() - own.keys()):
        return state
    return own | {inside + name: value for name, value in state.items()}


def _made(name: str, size: int, *, pretrained: bool) -> nn.Module:
    timm = load()
    _check_named(timm, name, pretrained=pretrained)
    plain = name.removeprefix(PREFIX)
    try:
        try:
            # Networks whose weights depend on the image size: timm resamples the positions.
            made = timm.create_model(plain, pretrained=pretrained, num_classes=0, img_size=size)
        except TypeError:
            made = timm.create_model(plain, pretrained=pretrained, num_classes=0)
    except (RuntimeError, ValueError, AssertionError, OSError) as error:
        raise ModelError(_why(name, size, error)) from None
    given = made.pretrained_cfg
    return Renormalised(made, size, tuple(given["mean"]), tuple(given["std"]))


def _check_named(timm: ModuleType, name: str, *, pretrained: bool) -> None:
    """Raise ModelError where timm knows no such network or weights, or where it is no address of the hub."""
    if name.startswith(HUB):
        _check_address(name)
        return
    plain = name.removeprefix(PREFIX)
    network, _, tag = plain.partition(".")
    if not timm.is_model(plain):
        raise ModelError(_unknown(timm, plain, pretrained=pretrained))
    known = [one for one in timm.list_pretrained(f"{network}*") if one.partition(".")[0] == network]
    try:
        timm.models.get_pretrained_cfg(plain)
        is_known = bool(known) or not pretrained
    except RuntimeError:
        is_known = False
    if is_known:
        return
    if not known:
        remedy = f"set pretrain.network to {PREFIX}{network} and pretrain.init to null"
        raise ModelError(f"timm has no weights of {network}: {remedy}")
    raise ModelError(f"timm has no weights {tag!r} of {network}; it has {', '.join(PREFIX + one for one in known)}")


def _check_address(name: str) -> None:
    """Raise ModelError where no `hf-hub:USER/NAME`, perhaps with a revision, can be of that form."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id  # type: ignore[attr-defined]

    address, *revision = name.removeprefix(HUB).split("@")
    try:
        validate_repo_id(address)
        is_one = len(revision) <= 1 and all(revision)
    except HFValidationError:
        is_one = False
    if not is_one:
        raise ModelError(f"{name!r} is no address of Hugging Face's hub: write hf-hub:USER/NAME or …/NAME@REVISION")


def _why(name: str, size: int, error: Exception) -> str:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, OSError):
        return f"{name} is not in the cache of Hugging Face's hub and cannot be downloaded: {said}"
    return f"{name} cannot be made for images of {size} px ({said}); set preprocess.size or pretrain.network otherwise"


def _unknown(timm: ModuleType, plain: str, *, pretrained: bool) -> str:
    import difflib

    close = difflib.get_close_matches(plain, timm.list_models(pretrained=pretrained), n=3)
    hint = f"; did you mean {' or '.join(PREFIX + one for one in close)}?" if close else ""
    return f"timm has no network {plain!r}{hint}"


def _elsewhere(init: str, network: str) -> str:
    return f"init {init!r} is of timm, and pretrain.network = {network!r} is not: set it to timm:NAME"


def load() -> ModuleType:
    """The package. Raises ModelError where it is not installed."""
    ensure()
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ModelError(f"networks of timm need {error.name}: pip install 'sightline[timm]'") from None
    module: Any = timm
    return module  # type: ignore[no-any-return]
