"""What a task must supply: one protocol, whatever an answer is made of.

`labels` are what `labels.Labels.targets` makes of a data set: (N,), (N, classes) or boxes (N, M, 6), of NumPy or torch.
Outputs are logits (N, classes), or of boxes answers (N, 100, 6) as `fcos` decodes them; "probabilities" are these once
they are calibrated. A graph ends before boxes suppress one another: it has candidates (N, K, 6) in place of answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from sightline.heads.answer import Answer, Fitted
    from sightline.heads.gained import Gained

    Floats = NDArray[np.floating[Any]]
    Numbers = NDArray[np.number[Any]]


class Head(Protocol):
    """A task, from training to the gate."""

    name: str
    score: str
    """What the number is called by which networks are chosen; the larger the better."""
    is_searched_by_score: bool
    """Whether a search for recipes compares their scores; where these are coarse it compares losses, as fitted."""
    unused: frozenset[str]
    """Values of a recipe that its training does not look at."""
    is_located: bool
    """Whether labels lie somewhere in their image, and move with what is changed of it."""
    figure: str
    """What the figure of an image is called, whose mean the gate compares."""
    titles: tuple[str, str]
    """Both as a page's headings have them, the score first."""
    is_exclusive: bool
    """Whether exactly one class is true of each image."""
    graph: str
    """What a graph calls the calibrated outputs that it has for an image."""
    client: Mapping[str, Any]
    """What a client makes answers of these by, beside the card."""

    # Training: torch alone.

    def begin(self, network: nn.Module, labels: Tensor) -> None:
        """Set what answers in a network that begins at random."""
        ...

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        """Mean loss of a batch; `targets` as from `labels`, or as from `shares`."""
        ...

    def counts(self, targets: Tensor, weights: Tensor | None) -> float | Tensor:
        """What a batch counts in that mean."""
        ...

    def class_weights(self, labels: Tensor, classes: int) -> Tensor:
        """Weights (classes,) of the loss by which rare classes count as much as frequent ones."""
        ...

    def chances(self, labels: Tensor, classes: int) -> Tensor:
        """How often each image (N,) is drawn, so that rare classes are seen as often as frequent ones; float64."""
        ...

    def shares(self, labels: Tensor, classes: int) -> Tensor:
        """Targets (N, classes) that can be blended."""
        ...

    def rated(self, logits: Tensor, labels: Tensor) -> tuple[float, float]:
        """Mean loss, and the score."""
        ...

    def fitted_loss(self, logits: Tensor, labels: Tensor) -> float:
        """Mean loss once the logits are calibrated on these very images."""
        ...

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of each image (N,)."""
        ...

    def hits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Share of right decisions of each image (N,)."""
        ...

    def strata(self, labels: Tensor) -> Tensor:
        """A number (N,) by which folds are kept alike."""
        ...

    # Answers: NumPy.

    def check(self, fitted: Fitted) -> None:
        """Raise ValueError, KeyError or TypeError where a card does not hold what this task needs."""
        ...

    def probabilities(self, logits: Floats, fitted: Fitted) -> NDArray[np.float64]:
        """Probabilities (N, classes)."""
        ...

    def activation(self, logits: Tensor, fitted: Fitted) -> Tensor:
        """The same in torch, for graphs."""
        ...

    def settled(self, found: Floats) -> Floats:
        """What a graph has for images as outputs, or as probabilities: of boxes those that no better one suppresses."""
        ...

    def decided(self, probabilities: Floats, fitted: Fitted) -> tuple[str, float]:
        """Label and probability of the answer with these probabilities (classes,)."""
        ...

    def answer(self, data: bytes, row: Floats, fitted: Fitted, foreign: float | None) -> Answer:
        """The answer to the image file `data`."""
        ...

    # Evaluation and gate.

    def none(self, classes: int) -> NDArray[np.float32]:
        """The outputs for no image."""
        ...

    def off(self, answers: Floats, others: Floats) -> float:
        """By how much logits or probabilities differ from others at most, which should be the same."""
        ...

    def rounding(self, own: Floats, right: Floats, fitted: Fitted) -> float:
        """How far probabilities may be off where outputs in float32 are `own`, and `right` where nothing is rounded."""
        ...

    def evidence(self, outputs: Floats, classes: int) -> Floats:
        """How much speaks for each class (N, classes), as logits do: by little of it foreign images are told."""
        ...

    def graph_evidence(self, logits: Tensor, classes: int) -> Tensor:
        """The same in torch, for graphs."""
        ...

    def indexed(self, fitted: Fitted, texts: NDArray[np.str_]) -> tuple[list[str], NDArray[Any]]:
        """The classes of a model, then those of the labels `texts` (N,) that it does not know; the labels by number."""
        ...

    def widened(self, answers: Floats, classes: int, value: float) -> Floats:
        """Answers of a model over all `classes`, with `value` for those that it does not know."""
        ...

    def presence(self, labels: Numbers, classes: int) -> NDArray[Any]:
        """The labels without places: (N,) the class, or (N, classes) 1 for each that is there."""
        ...

    def figures(self, probabilities: Floats, labels: Numbers, fitted: Fitted) -> NDArray[Any]:
        """The figure of each image (N,), 0 … 1, from probabilities of the `indexed` classes."""
        ...

    def floor(self, labels: Numbers) -> float:
        """The best mean figure of an answer that is the same for every image."""
        ...

    def claims(self, probabilities: Floats, labels: Numbers) -> list[tuple[Floats, NDArray[np.integer[Any]]]]:
        """Decisions whose calibration is looked at, each as probabilities (N, K) and what is true (N,)."""
        ...

    def compared(self, logits: Floats, labels: Numbers) -> tuple[float, float, float]:
        """The score, and the ends of its 95 % interval."""
        ...

    def log_losses(self, probabilities: Floats, labels: Numbers) -> NDArray[np.float64]:
        """What each answer (N,) costs, nats."""
        ...

    def gained(
        self, own: Floats, labels: Numbers, other: Floats, other_labels: Numbers, groups: Numbers
    ) -> Gained | None:
        """By how much the score is higher than another model's, where that does not follow from the figures of images.

        Both are probabilities and labels of the same images, of which those of one group (N,) belong together. None
        where the figures show all.
        """
        ...

    def said(self, figure: float) -> str:
        """A mean figure in words, such as "right in 93.1%"."""
        ...

    def told(self, figure: float, images: int) -> str:
        """The same with the images that it is of, such as "93.1% of 40 images right"."""
        ...

    # Under watch, where nobody knows the truth but of a few images.

    def confidence(self, probabilities: Floats) -> Floats:
        """How probable each answer (N,) is."""
        ...

    def lead(self, probabilities: Floats) -> Floats:
        """How far each answer (N,) is from another one: 0 where a coin might decide, 1 where it is sure."""
        ...

    def certainty(self, probabilities: Floats) -> Floats:
        """The negative entropy (N,) of each answer, nats."""
        ...

    def agreement(self, answer: str, truth: str) -> float:
        """The figure of an answer, where both are known as labels."""
        ...

    def audited(self, wrong: float, labels: int, bound: float) -> str:
        """What so many labels say: what they lack of full figures, added up, beside the mean that would be allowed."""
        ...

    # What a person sees of an evaluation's figures.

    def summary(self, probabilities: Floats, fitted: Fitted) -> str:
        """The answer with these probabilities in a few words."""
        ...

    def pictured(
        self, pixels: NDArray[np.uint8], probabilities: Floats, labels: Numbers, fitted: Fitted
    ) -> NDArray[np.uint8]:
        """An image (S, S, 3) with what was answered and what is true drawn on it, where that lies somewhere."""
        ...

    def cards(self, found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """Value, name and a note of each of the first figures of a page."""
        ...

    def lines(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Name and value of each of the first figures in a terminal."""
        ...
