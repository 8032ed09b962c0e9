"""A plain torch model behind Ray Serve, as its documentation shows: https://docs.ray.io/en/latest/serve.

    python serving_ray.py PORT NETWORK SIZE BATCH

Batches form within ten milliseconds; an image comes as the body of a request.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from ray import serve
from serving_peer import WAIT, Model

PORT, NETWORK, SIZE, BATCH = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


@serve.deployment(max_ongoing_requests=4 * BATCH)
class Served:
    """The model in one replica."""

    def __init__(self, network: str, size: int) -> None:
        self.model = Model(network, size)

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WAIT)  # type: ignore[untyped-decorator]
    async def answer(self, bodies: list[bytes]) -> list[dict[str, Any]]:
        """Answers to a batch."""
        return self.model.answers([self.model.read(one) for one in bodies])

    async def __call__(self, request: Any) -> dict[str, Any]:
        """The answer to a body; to one without, that it is there."""
        if request.method == "GET":
            return {}
        answer: dict[str, Any] = await self.answer(await request.body())
        return answer


if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Served.bind(NETWORK, SIZE))  # type: ignore[attr-defined]
    signal.pause()
