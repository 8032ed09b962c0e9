"""The command line as a program: on a terminal it shows that it is at work before its libraries are imported."""

from __future__ import annotations

import os
import sys

from flows.cli import pulse


def main() -> None:
    """Entry point."""
    if sys.stderr.isatty():
        pulse.begin(" ".join(["sightline", *sys.argv[1:2]]))
    try:
        # Half a second of a core, and many seconds of a machine that is busy.
        from flows.cli.app import main as answer

        answer()
    except KeyboardInterrupt:
        # Whoever ends it that early wants no tale of what was being imported.
        os._exit(130)


if __name__ == "__main__":
    main()
