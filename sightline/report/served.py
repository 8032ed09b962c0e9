"""The pages of a project for a browser, by a small server of this machine; they open from their files, too."""

from __future__ import annotations

from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sightline.images.reading import SUFFIXES
from sightline.report.addresses import HOST, PORT
from sightline.report.index import INDEX

if TYPE_CHECKING:
    from sightline.project import Paths

LOCAL = ("127.0.0.1", "localhost")
"""Names by which a browser of this machine may ask: another would be a page elsewhere that was led here."""


def server(paths: Paths, port: int = PORT) -> ThreadingHTTPServer:
    """A server of the pages and of the images that they lead to, and of nothing else in the project.

    Raises OSError where it cannot listen.
    """
    root = paths.root.resolve()
    images = [paths.raw(use).resolve() for use in paths.params.datasets]
    folders = [folder.resolve() for folder in (paths.reports, root / "data" / "docs", paths.runs)]

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *words: Any) -> None:
            super().__init__(*words, directory=str(root))

        def send_head(self) -> Any:
            if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in LOCAL:
                return self.send_error(HTTPStatus.FORBIDDEN)
            if self.path == "/":
                self.send_response(HTTPStatus.FOUND)
                self.send_header("Location", f"/{paths.reports.relative_to(paths.root).as_posix()}/{INDEX}")
                self.end_headers()
                return None
            place = Path(self.translate_path(self.path)).resolve()
            page = any(place.is_relative_to(folder) for folder in folders) and place.suffix == ".html"
            image = any(place.is_relative_to(folder) for folder in images) and place.suffix.lower() in SUFFIXES
            if not place.is_file() or not (page or image):
                return self.send_error(HTTPStatus.NOT_FOUND)
            return super().send_head()

        def log_message(self, *_: Any) -> None:
            """Say nothing: what was asked for shows in the browser."""

    return ThreadingHTTPServer((HOST, port), Handler)
