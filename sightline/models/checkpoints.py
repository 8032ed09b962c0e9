"""Files of weights as torch and safetensors write them, and as scripts lay them out; nothing in them is ever run."""

from __future__ import annotations

import argparse
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sightline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDINGS = {".pt", ".pth", ".safetensors", ".ckpt", ".bin", ".tar"}
"""What such files are called; one that is there may be called otherwise."""
WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which name training scripts keep the weights beside what else they save."""
HEADS = {
    "fc",
    "head",
    "heads",
    "head_dist",
    "classifier",
    "classif",
    "last_linear",
    "aux1",
    "aux2",
    "aux_head",
    "AuxLogits",
}
"""What networks call the parts that answer, which a backbone goes without."""
COUNTER = "num_batches_tracked"
"""Steps that a normalisation has seen, which old files lack."""
OWN, OF_TIMM = "backbone.", "network."
"""Before the names of a backbone's tensors in our networks, and of timm's in such a backbone."""
WEIGHTLESS = "cannot be read as weights"


def is_path(init: str, file: Path) -> bool:
    """Whether `init` means a file, which would be `file`: there is one, or it is written as a path."""
    return file.is_file() or "/" in init or Path(init).suffix.lower() in ENDINGS


def check(init: str, file: Path) -> None:
    """Raise ModelError where the `file` that `init` means is not there, or holds no weights as its beginning tells."""
    if not file.is_file():
        hint = "" if file.suffix.lower() in ENDINGS else "; weights of the hub are called hf-hub:USER/NAME"
        raise ModelError(f"{init}: there is no such file of weights{hint}")
    try:
        with file.open("rb") as opened:
            head = opened.read(40)
        names = _names(file) if head.startswith(b"PK") else []
    except OSError as error:
        raise ModelError(f"{init} {WEIGHTLESS}: {error.strerror}") from None
    if not head:
        raise ModelError(f"{init} {WEIGHTLESS}: it is empty")
    if any(name.endswith("/constants.pkl") for name in names):
        raise ModelError(f"{init} {WEIGHTLESS}: it is a TorchScript program; save its state_dict")
    is_of_torch = any(name.endswith("/data.pkl") for name in names) or head.startswith(b"\x80")
    if not is_of_torch and not _is_safetensors(head):
        raise ModelError(f"{init} {WEIGHTLESS}: neither torch nor safetensors wrote what begins with {head[:16]!r}")


def _is_safetensors(head: bytes) -> bool:
    """Eight bytes of a length come before the JSON."""
    return head[8:9] == b"{"


def _names(file: Path) -> list[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    except zipfile.BadZipFile:
        raise ModelError(f"{file} {WEIGHTLESS}: it was cut short; fetch it again") from None


def read(file: Path) -> dict[str, Tensor]:
    """The tensors of a file, on the CPU and by their names, out of what a script saved around them.

    Raises ModelError where it holds something else.
    """
    try:
        with file.open("rb") as opened:
            if _is_safetensors(opened.read(9)):
                from safetensors.torch import load_file

                return _unwrapped(file, load_file(file))
            opened.seek(0)
            # Checkpoints of torchvision's own scripts hold their arguments, which are values and nothing else.
            with torch.serialization.safe_globals([argparse.Namespace]):
                return _unwrapped(file, torch.load(opened, map_location="cpu", weights_only=True))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{file} {WEIGHTLESS}: {_why(error)}") from error


def _why(error: Exception) -> str:
    """Not torch's own words: they advise to read what was refused all the same, which would run what is in there."""
    code = re.search(r"GLOBAL (\S+)", str(error))
    if code:
        return f"it holds {code[1]}, and only tensors are read, as others can run code; save the state_dict alone"
    return "it was cut short or damaged, or torch did not write it"


def _unwrapped(file: Path, found: Any) -> dict[str, Tensor]:
    while isinstance(found, dict) and (names := [name for name in WRAPPERS if isinstance(found.get(name), dict)]):
        found = found[names[0]]
    if not isinstance(found, dict) or not found:
        what = "nothing" if isinstance(found, dict) else type(found).__name__
        raise ModelError(f"{file} holds {what} in place of tensors and their names: save a state_dict")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ModelError(
                f"{file} holds {type(value).__name__} as {name!r}, which is no named tensor: save a state_dict"
            )
    return dict(found)


def unprefixed(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a backbone by the names that it has itself for its `own`.

    Of a network of ours those of its backbone; what a script's classes (Lightning's, DataParallel) put before all names
    goes.
    """
    wanted = own.keys() | {name.removeprefix(OF_TIMM) for name in own}
    while not wanted & state.keys():
        inside = [name for name in state if name.startswith(OWN)]
        before = OWN if inside else next(iter(state)).partition(".")[0] + "."
        if not inside and not all(name.startswith(before) for name in state):
            break
        state = {name.removeprefix(before): value for name, value in state.items() if name.startswith(before)}
    return dict(state)


def fitted(init: str, given: Mapping[str, Tensor], own: Mapping[str, Tensor], network: str) -> dict[str, Tensor]:
    """Of the tensors that `init` gave those of the backbone, whose `own` they replace, each finite and as `own` is.

    Heads are left out. Raises ModelError where tensors are missing, where there are more than a head, as of a longer
    network, or where one holds no weights.
    """
    matching = {name: value for name, value in given.items() if name in own and value.shape == own[name].shape}
    missing = sorted(name for name in set(own) - set(matching) if not name.endswith(COUNTER))
    remedy = "set pretrain.network to whose weights they are"
    if missing:
        raise ModelError(
            f"{init} does not fit {network}: {len(missing)} of {len(own)} tensors differ, first {missing[0]}; {remedy}"
        )
    further = sorted(name for name in set(given) - set(own) if not _is_beside(name))
    if further:
        more = f"it holds {len(further)} tensors that {network} has not, first {further[0]}"
        raise ModelError(f"{init} does not fit {network}: {more}; {remedy}")
    for name, value in matching.items():
        if own[name].is_floating_point() and not value.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            raise ModelError(f"{init} holds {kind} in tensor {name}, where weights are floating-point numbers")
        if not value.to(own[name].dtype).isfinite().all():
            raise ModelError(f"{init} holds NaN or infinity in tensor {name}: take weights from before that happened")
    return {**own, **matching}


def _is_beside(name: str) -> bool:
    return name.removeprefix(OF_TIMM).partition(".")[0] in HEADS or name.endswith(COUNTER)
