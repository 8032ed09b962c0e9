"""DVC's remote: whether it can be reached at all, told before DVC tries for minutes or takes silence for absence."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sightline import servers
from sightline.masking import masked


def trouble(repo: Any) -> str | None:
    """Why the default remote of a DVC repository cannot be asked, with its address and the remedy; else None."""
    address, why = _address(repo), None
    if address and not urlsplit(address).scheme:
        why = None if Path(address).is_dir() else "there is no such folder"
    elif address:
        why = servers.unreached(_settings(repo).get("endpointurl") or address)
    return failed(repo, why) if why else None


def failed(repo: Any, why: str) -> str:
    """That the remote could not be asked, in words."""
    address = _address(repo)
    if not address:
        return f"the remote could not be asked: {why}"
    name, further = repo.config["core"]["remote"], _settings(repo).get("endpointurl")
    place = f"{address} by {further}" if further else address
    return (
        f"the remote {name} at {masked(place)} could not be asked: {why}; "
        f"`dvc remote modify {name} {'endpointurl' if further else 'url'} ADDRESS` corrects it"
    )


def _address(repo: Any) -> str:
    return str(_settings(repo).get("url") or "")


def _settings(repo: Any) -> dict[str, Any]:
    name = repo.config["core"].get("remote")
    return dict(repo.config["remote"].get(name, {})) if name else {}
