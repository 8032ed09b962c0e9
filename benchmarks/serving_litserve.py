"""A plain torch model behind LitServe, as its documentation shows: https://lightning.ai/docs/litserve.

    python serving_litserve.py PORT NETWORK SIZE BATCH

Batches form within ten milliseconds; an image comes as the file of a form.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import litserve
from serving_peer import WAIT, Model

if TYPE_CHECKING:
    import torch


class Api(litserve.LitAPI):  # type: ignore[misc]
    """What LitServe asks of a model, for single images and for batches."""

    def setup(self, device: str) -> None:
        """Make the model, in the process that answers."""
        del device
        self.model = Model(sys.argv[2], int(sys.argv[3]))

    # LitServe takes a name in quotes, as which an annotation reaches it here, for a parameter of the address.
    def decode_request(self, request) -> torch.Tensor:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """The image of a form."""
        return self.model.read(request["content"].file.read())

    def batch(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        """Images as the model takes them."""
        return list(inputs)

    def predict(self, x: list[torch.Tensor]) -> list[dict[str, Any]]:
        """Answers to a batch."""
        return self.model.answers(x)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """An answer for each image."""
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """An answer as it is."""
        return output


if __name__ == "__main__":
    api = Api(max_batch_size=int(sys.argv[4]), batch_timeout=WAIT)
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
