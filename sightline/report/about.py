"""What a page about a run or a decision says of itself to the index."""

from __future__ import annotations

import json
import re
from datetime import datetime

FACTS = re.compile(r'<meta name="sightline-run" content="([^"]*)">')
TONES = {"champion": "good", "promoted": "good", "unchanged": "good", "refused": "bad", "set back": "bad"}
"""Decision, or what a version is now → how it is coloured."""


def facts(version: str, decision: str, title: str, accuracy: float | None) -> str:
    """What a page says of itself to the index, as JSON."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return json.dumps({"version": version, "decision": decision, "title": title, "accuracy": accuracy, "at": now})
