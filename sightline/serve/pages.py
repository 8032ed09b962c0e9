"""The pages of a server: one to drop a photo on, one that tells of all requests and tries them; without network."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI

PAGE = Path(__file__).with_name("page.html")
FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
"""Of Swagger UI, as FastAPI's page takes them from a network of others."""
IMAGE = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "required": True,
        "description": "The bytes of an image file; or one or many as form files; or JSON with base64 texts.",
        "content": {
            "image/*": IMAGE,
            "application/octet-stream": IMAGE,
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"image": {"type": "array", "items": IMAGE["schema"]}}}
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "properties": {"images": {"type": "array", "items": {"type": "string", "format": "byte"}}},
                }
            },
        },
    }
}
"""What /predict takes, for the page that tries it."""


def add_pages(app: FastAPI) -> None:
    """Give the application its pages."""
    app.get("/", response_class=HTMLResponse, summary="A page to drop a photo on")(_page)
    app.head("/", response_class=HTMLResponse, include_in_schema=False)(_page)
    app.get("/docs", include_in_schema=False)(_docs)
    for name, kind in FILES.items():
        path = files("fastapi_offline").joinpath("static", name)
        app.get(f"/docs/{name}", include_in_schema=False)(_file(Path(str(path)), kind))


async def _page() -> str:
    return PAGE.read_text(encoding="utf-8")


async def _docs() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Sightline",
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon.png",
        # Else it sends the address to a server of others, which judges the page.
        swagger_ui_parameters={"validatorUrl": None},
    )


def _file(path: Path, kind: str) -> Callable[[], Awaitable[FileResponse]]:
    async def answer() -> FileResponse:
        return FileResponse(path, media_type=kind)

    return answer
