"""A plain torch model behind a server library: a peer of `benchmarks/serving.py`, which starts it.

    python serving_peer.py litserve|ray PORT NETWORK SIZE BATCH

Each is used as its documentation shows: batches form within ten milliseconds, images are decoded by Pillow and
answered by torch as it comes, with random weights. LitServe takes the file of a form, Ray Serve the body itself.
"""

from __future__ import annotations

import io
import signal
import sys
from typing import Any

import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor

from sightline.models.operators import ensure
from sightline.models.zoo import build

WAIT = 0.01
"""Seconds that a request waits for others at most."""


class Model:
    """What every peer does with a batch."""

    def __init__(self, network: str, size: int) -> None:
        ensure()
        torch.manual_seed(0)
        self.size, self.network = size, build(network, 10, size).eval()

    def read(self, data: bytes) -> torch.Tensor:
        """3×size×size, 0 … 1."""
        return to_tensor(Image.open(io.BytesIO(data)).convert("RGB").resize((self.size, self.size)))

    @torch.inference_mode()
    def answers(self, images: list[torch.Tensor]) -> list[dict[str, Any]]:
        """Of each the class and its probability."""
        sure, place = self.network(torch.stack(images)).softmax(1).max(1)
        return [{"label": label, "probability": one} for one, label in zip(sure.tolist(), place.tolist(), strict=True)]


def litserve(port: int, network: str, size: int, batch: int) -> None:
    """https://lightning.ai/docs/litserve."""
    import litserve as ls

    class Api(ls.LitAPI):
        def setup(self, device: str) -> None:
            del device
            self.model = Model(network, size)

        def decode_request(self, request: Any) -> torch.Tensor:
            return self.model.read(request["content"].file.read())

        def batch(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
            return list(inputs)

        def predict(self, x: list[torch.Tensor]) -> list[dict[str, Any]]:
            return self.model.answers(x)

        def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return output

        def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
            return output

    api = Api(max_batch_size=batch, batch_timeout=WAIT)
    ls.LitServer(api, accelerator="cpu").run(host="127.0.0.1", port=port, generate_client_file=False)


def ray(port: int, network: str, size: int, batch: int) -> None:
    """https://docs.ray.io/en/latest/serve."""
    from ray import serve

    @serve.deployment(max_ongoing_requests=4 * batch)
    class Served:
        def __init__(self) -> None:
            self.model = Model(network, size)

        @serve.batch(max_batch_size=batch, batch_wait_timeout_s=WAIT)
        async def answer(self, bodies: list[bytes]) -> list[dict[str, Any]]:
            return self.model.answers([self.model.read(one) for one in bodies])

        async def __call__(self, request: Any) -> dict[str, Any]:
            if request.method == "GET":
                return {}
            return await self.answer(await request.body())

    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(Served.bind())  # type: ignore[attr-defined]
    signal.pause()


if __name__ == "__main__":
    {"litserve": litserve, "ray": ray}[sys.argv[1]](int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:6]))  # type: ignore[arg-type]
