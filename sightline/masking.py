"""Passwords in addresses: masked in whatever is printed or stored, and parted from addresses where that can be done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

MASK = "***"
# A web address may hold a token alone, and no slash before its host; a database's password may hold a slash.
_WEB = re.compile(r"(?i)\b(https?|wss?)://[^\s/@'\"<>]+@")
_OTHER = re.compile(r"(?i)\b(?!https?:|wss?:)([a-z][\w+.-]*://[^\s:/@'\"<>]*):[^\s'\"<>]*@")
_FIELD = re.compile(
    r"(?i)([?&;][\w-]*(?:password|passwd|pwd|token|secret|signature|(?:access|account|api)_?key)\w*=)(?!\s)[^&;\s'\"<>]+"
)


def masked(text: str) -> str:
    """`text` with *** for the passwords and tokens of the addresses in it; all else as it was."""
    if "://" not in text:
        return text
    return _FIELD.sub(rf"\1{MASK}", _OTHER.sub(rf"\1:{MASK}@", _WEB.sub(rf"\1://{MASK}@", text)))


def parted(variables: Mapping[str, str]) -> dict[str, str]:
    """Environment variables whose web addresses hold no password: MLflow and Prefect have others for it.

    What an address says counts before them. Libraries put addresses into messages, logs and databases.
    """
    found = dict(variables)
    tracking, user = _split(found.get("MLFLOW_TRACKING_URI", ""))
    if user:
        name, _, password = user.partition(":")
        found |= {"MLFLOW_TRACKING_URI": tracking, "MLFLOW_TRACKING_USERNAME": unquote(name)}
        found["MLFLOW_TRACKING_PASSWORD"] = unquote(password)
    api, user = _split(found.get("PREFECT_API_URL", ""))
    if user:
        found |= {"PREFECT_API_URL": api, "PREFECT_API_AUTH_STRING": unquote(user)}
    return found


def _split(address: str) -> tuple[str, str]:
    """A web address without its user, and `user:password`; empty where there is none."""
    if not address.lower().startswith(("http://", "https://")):
        return address, ""
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=host)), user
