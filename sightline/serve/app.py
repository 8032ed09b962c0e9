"""The HTTP application: image bytes in, the champion's answer out."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BeforeValidator
from starlette.exceptions import HTTPException

from sightline.images.reading import UnreadableImage
from sightline.serve.batcher import Answered, Batcher, Full
from sightline.serve.bodies import AGAIN, Bodies, Refused, images_of
from sightline.serve.capture import Origin
from sightline.serve.challenger import Shadow
from sightline.serve.hosts import Hosts
from sightline.serve.metrics import Metrics
from sightline.serve.pages import BODY, add_pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence

    from prometheus_client.registry import Collector

    from sightline.serve.capture import Capture
    from sightline.serve.challenger import Challenger
    from sightline.serve.follow import Follower
    from sightline.serve.record import Role

ANSWER_SECONDS = 60.0
"""After which a caller is told that it took too long."""
TOP = 5
"""Likeliest classes in an answer."""
LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
TAG = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})?")
"""What a caller may call the place that an image comes from; a proxy that knows none sends an empty one."""
TAG_WORDS = "at most 64 characters of a–z, A–Z, 0–9, and from the second on . _ - too"
log = logging.getLogger(__name__)


def Tag(name: str) -> Any:  # noqa: N802 — it stands for FastAPI's Header
    """A header in which a caller says where an image comes from."""
    return Header(alias=name, description=f"Where the images come from: {TAG_WORDS}")


def _tag(given: str) -> str | None:
    if not TAG.fullmatch(given.strip()):
        raise ValueError(f"{given[:80]!r} cannot be a name here: it has {TAG_WORDS}; or leave it empty")
    return given.strip() or None


Tagged = Annotated[str | None, BeforeValidator(_tag)]


@dataclass
class Service:
    """What the requests share."""

    follower: Follower
    batcher: Batcher
    metrics: Metrics
    token: str | None
    capture: Capture | None
    challenger: Challenger | None
    shadow: Shadow | None
    bodies: Bodies = field(default_factory=Bodies)


def application(
    follower: Follower,
    *,
    token: str | None = None,
    hosts: Sequence[str] = LOOPBACK,
    capture: Capture | None = None,
    challenger: Challenger | None = None,
    gauges: Sequence[Collector] = (),
) -> FastAPI:
    """The application around the version that `follower` holds.

    `token`: what callers must bring as bearer token; `hosts`: names under which they may call it ("*": any); `capture`
    records the answers; `challenger` gives some, or is compared; /metrics tells what `gauges` tell, too.
    """
    metrics = Metrics(*([capture] if capture else []), *gauges)
    batcher = Batcher(lambda: follower.version, metrics.batch.observe)
    shadow = Shadow(challenger, batcher, metrics, capture) if challenger and challenger.task.shadow else None
    service = Service(follower, batcher, metrics, token, capture, challenger, shadow)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        # In this order: each may still ask those behind it.
        for part in (follower, challenger, shadow, batcher, capture):
            if part is not None:
                await asyncio.to_thread(part.close)

    title = "Sightline"
    app = FastAPI(title=title, version=follower.version.number, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(Hosts, names=hosts, refused=_refused)
    app.state.service = service
    app.get("/healthz", summary="Whether the process lives")(_healthy)
    app.get("/readyz", summary="Whether it answers, and with which version")(_ready)
    # Load balancers probe so.
    app.head("/healthz", include_in_schema=False)(_healthy)
    app.head("/readyz", include_in_schema=False)(_ready)
    # The first lets the page of the requests ask for the token; the second asks for it.
    asks = [Depends(HTTPBearer(auto_error=False)), Depends(_allowed)] if token is not None else []
    app.get("/metrics", summary="For Prometheus", dependencies=asks)(_metrics)
    add_pages(app)
    told: dict[int | str, dict[str, Any]] = {
        422: {"description": "Not an image that may be read, or a wrong parameter: `error` says why"}
    }
    post = app.post(
        "/predict", summary="What is on these images", openapi_extra=BODY, dependencies=asks, responses=told
    )
    post(_predict)
    app.add_exception_handler(HTTPException, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _misasked)  # type: ignore[arg-type]
    return app


def count_rejected(app: Any, status: int) -> None:
    """Count a request that was turned away before this application saw it."""
    app.state.service.metrics.rejected.labels(status).inc()


def finish(app: FastAPI) -> None:
    """Record the answers that were given and are not recorded yet; nothing is left to do after an end in order."""
    service: Service = app.state.service
    if service.capture is not None:
        service.capture.close()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Shared = Annotated[Service, Depends(_service)]


async def _allowed(request: Request, service: Shared) -> None:
    # Starlette reads a header as Latin-1: these are the bytes that came, of whatever alphabet the token is.
    given = request.headers.get("authorization", "").encode("latin-1")
    wanted = f"Bearer {service.token}".encode(errors="surrogateescape")
    if service.token is not None and not hmac.compare_digest(given, wanted):
        raise Refused(401, "this server asks for a bearer token", {"WWW-Authenticate": "Bearer"})


async def _refused(request: Request, error: HTTPException) -> JSONResponse:
    _service(request).metrics.rejected.labels(error.status_code).inc()
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _misasked(request: Request, error: RequestValidationError) -> JSONResponse:
    said = [(one["loc"][-1], one["msg"].removeprefix("Value error, ")) for one in error.errors()]
    why = "; ".join(f"{name}: {sentence[:1].lower()}{sentence[1:]}" for name, sentence in said)
    return await _refused(request, Refused(422, why))


async def _healthy() -> dict[str, str]:
    return {"status": "alive"}


async def _ready(service: Shared) -> dict[str, Any]:
    version, capture = service.follower.version, service.capture
    told = {"version": version.number, "digest": version.digest, "ledger": service.follower.trouble}
    return told | {
        "capture": capture.trouble if capture else None,
        "challenger": service.challenger.told() if service.challenger else None,
    }


async def _metrics(service: Shared) -> Response:
    service.metrics.waiting.set(service.batcher.waiting)
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


async def _predict(
    request: Request,
    service: Shared,
    top: Annotated[int, Query(ge=1)] = TOP,
    site: Annotated[Tagged, Tag("X-Sightline-Site")] = None,
    camera: Annotated[Tagged, Tag("X-Sightline-Camera")] = None,
) -> JSONResponse:
    began, asked = time.perf_counter(), uuid.uuid4().hex
    parts: list[bytes] = []
    try:
        images = await images_of(request, await service.bodies.take(request, parts))
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await _all(
                _one(service, name, data, top, Origin(asked, place, site, camera))
                for place, (name, data) in enumerate(images)
            )
    except TimeoutError:
        raise Refused(503, f"no answer within {ANSWER_SECONDS:.0f} s", AGAIN) from None
    except Full:
        raise Refused(429, "too many images wait: come back in a second", AGAIN) from None
    finally:
        service.bodies.free(parts)
    if len(found) == 1 and "error" in found[0]:
        raise Refused(422, found[0]["error"])
    took = time.perf_counter() - began
    service.metrics.latency.observe(took)
    told = {"request": asked, "milliseconds": round(1000 * took, 2), "answers": found}
    return JSONResponse(told)


async def _all(answers: Iterable[Coroutine[Any, Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Each answer, in order; where one fails, the others are not waited for, and what is not begun is not done."""
    tasks = [asyncio.ensure_future(one) for one in answers]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _one(
    service: Service, name: str | None, data: bytes | UnreadableImage, top: int, origin: Origin
) -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    try:
        if isinstance(data, UnreadableImage):
            raise data
        answered, role = await _answered(service, data, origin.request)
    except UnreadableImage as error:
        service.metrics.unreadable.inc()
        return named | {"error": str(error)}
    service.metrics.count(answered)
    if service.capture is not None:
        service.capture.note(origin, answered, data, role)
    if service.shadow is not None and role == "champion":
        service.shadow.note(origin, data, answered.answer)
    return named | told(answered, top) | {"role": role}


async def _answered(service: Service, data: bytes, request: str) -> tuple[Answered, Role]:
    challenger = service.challenger
    if challenger is not None and challenger.is_asked(request):
        try:
            return await service.batcher.answer(data, challenger.version), "canary"
        except (UnreadableImage, Full):
            raise
        except Exception:
            service.metrics.canary_failed.inc()
            log.exception("version %s fails as canary: the champion answers", challenger.version.number)
    return await service.batcher.answer(data), "champion"


def told(answered: Answered, top: int) -> dict[str, Any]:
    """An answer as JSON: the `top` likeliest classes, and who gave it."""
    answer, version, _ = answered
    classes = version.predictor.card.classes
    likeliest = sorted(zip(answer.probabilities, classes, strict=True), key=lambda one: -one[0])[:top]
    return {
        "label": answer.label,
        **answer.sets,
        "probability": answer.probability,
        "top": [{"label": label, "probability": probability} for probability, label in likeliest],
        "set": None if answer.likely is None else list(answer.likely),
        "abstain": answer.abstain,
        "foreign": answer.foreign,
        "foreign_score": answer.foreign_score,
        "version": version.number,
        "digest": version.digest,
    }
