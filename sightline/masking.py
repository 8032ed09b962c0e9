"""Passwords in addresses: masked in whatever is printed or stored, and parted from addresses where that can be done."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MASK = "***"
# A web address may hold a token alone, and no slash before its host; a database's password may hold a slash.
_WEB = re.compile(r"(?i)\b(https?|wss?)://[^\s/@'\"<>]+@")
_OTHER = re.compile(r"(?i)\b(?!https?:|wss?:)([a-z][\w+.-]*://[^\s:/@'\"<>]*):[^\s'\"<>]*@")
_FIELD = re.compile(
    r"(?i)([?&;][\w-]*(?:password|passwd|pwd|token|secret|signature|(?:access|account|api)_?key)\w*=)(?!\s)[^&;\s'\"<>]+"
)


HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+")
"""How a patch says which lines of the file before it are about."""
ESCAPED = re.compile(rb"\\([0-7]{3}|.)")


def masked(text: str) -> str:
    """`text` with *** for the passwords and tokens of the addresses in it; all else as it was."""
    if "://" not in text:
        return text
    return _FIELD.sub(rf"\1{MASK}", _OTHER.sub(rf"\1:{MASK}@", _WEB.sub(rf"\1://{MASK}@", text)))


def fitting(patch: bytes, root: Path) -> bytes:
    """A patch of git's whose lines were masked, so that it applies to the files below `root` from which it was made.

    What it takes away, or leaves beside that, is given back as those files have it, by the numbers of the lines.
    """
    held: list[bytes] = []
    found: list[bytes] = []
    at = left = 0
    for line in patch.split(b"\n"):
        if left and line[:1] in {b"-", b" "}:
            found.append(line[:1] + held[at] if at < len(held) else line)
            at, left = at + 1, left - 1
            continue
        if hunk := HUNK.match(line):
            at, left = int(hunk[1]) - 1, int(hunk[2] or 1)
        elif line.startswith(b"--- "):
            file = root / _unquoted(line[4:].rstrip(b"\t\r")).removeprefix("a/")
            held = file.read_bytes().split(b"\n") if file.is_file() else []
        found.append(line)
    return b"\n".join(found)


def _unquoted(name: bytes) -> str:
    """A path as git writes it: between quotation marks, bytes that are no plain letters as octal numbers."""
    if name.startswith(b'"'):
        name = ESCAPED.sub(lambda sign: bytes([int(sign[1], 8)]) if sign[1].isdigit() else sign[1], name[1:-1])
    return os.fsdecode(name)


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
