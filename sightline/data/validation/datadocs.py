"""The page of Data Docs: Great Expectations' own rendering, in a frame that needs neither a network nor scripts.

The library's page takes its styles and scripts from five foreign hosts, and unfolds and filters by script. Its renderer
makes the document here too; only the outermost templates are ours (`docs_assets/`): one file of HTML with its style
inside, the verdict in words at the top, no time and no random id, so that equal data give equal bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaPageView
from jinja2 import ChoiceLoader, FileSystemLoader

from sightline.files import write_atomically

if TYPE_CHECKING:
    from sightline.data.validation.verdict import Verdict

ASSETS = Path(__file__).with_name("docs_assets")


class OfflineView(DefaultJinjaPageView):
    """Great Expectations' view with our templates before its own."""

    def __init__(self) -> None:
        super().__init__()
        ours: list[Any] = [FileSystemLoader(ASSETS), self.env.loader]
        self.env.loader = ChoiceLoader(ours)


def write(outcome: Any, verdict: Verdict, docs: Path) -> None:
    """Write the page of a validation result below `docs`, at `verdict.page`."""
    for result in outcome.results:
        # The renderer asks each value whether it is true, which pandas' NA refuses to answer.
        values = result.result.get("partial_unexpected_list", [])
        result.result["partial_unexpected_list"] = [value for value in values if not pd.isna(value)]
    renderer: Any = ValidationResultsPageRenderer()
    page = OfflineView().render(renderer.render(outcome), verdict=verdict)  # type: ignore[no-untyped-call]
    write_atomically(docs / verdict.page, page)
