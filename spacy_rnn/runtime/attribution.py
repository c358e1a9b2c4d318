"""The input of an encoder for a document, and the score of a prediction as a function of it."""

from typing import TYPE_CHECKING, Any, Callable, List, Literal, NamedTuple, Optional, Sequence

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.rnn import Encoder

Scale = Literal["log-odds", "log-probability", "value"]


class EncoderInput(NamedTuple):
    """Sequences of vectors that an encoder reads of a document.

    encoder (Callable[[Any], Encoder]): Returns the encoder inside the torch module.
    names (List[str]): Names of the rows, such as the texts of tokens, (N,).
    vectors (Tensor): Vectors of the rows, (N, D), one sequence after the other.
    lengths (Tensor): Rows of each sequence, int64 (S,) on the CPU.
    start (Optional[Tensor]): The state before the first row of the only sequence,
        (1 or 2, depth, 1, H); None for zeros.
    backward (bool): The rows are those of the text in reverse.
    """

    encoder: "Callable[[Any], Encoder]"
    names: List[str]
    vectors: "Tensor"
    lengths: "Tensor"
    start: "Optional[Tensor]" = None
    backward: bool = False


class AttributionTarget(NamedTuple):
    """A prediction to explain by what the encoder reads.

    rows (EncoderInput): The input of the encoder.
    prediction (str): Description of the prediction, such as "predicted tag NOUN of 'cat'".
    scale (str): The scale of its score: "log-odds", "log-probability" or "value".
    score (Callable[[Any, Tensor], Tensor]): Computes the score of the prediction, (B,), from the
        torch module and from vectors in the place of the rows', (B, N, D); differentiable.
    """

    rows: EncoderInput
    prediction: str
    scale: Scale
    score: "Callable[[Any, Tensor], Tensor]"


def check_index(index: int, n: int, what: str) -> None:
    """Check an index that a user gives.

    index (int): The index.
    n (int): The number of items.
    what (str): What an item is, for the message.
    RAISES (ValueError): If there is no such item.
    """
    if not 0 <= index < n:
        there = f"valid are 0 to {n - 1}" if n else "there are none"
        raise ValueError(f"The index {index} of the {what} is out of range: {there}.")


def label_index(label: str, labels: Sequence[str], name: str) -> int:
    """The index of a label.

    label (str): The label.
    labels (Sequence[str]): The labels of a component.
    name (str): The component's name, for the message.
    RETURNS (int): The index.
    RAISES (ValueError): If it has no such label.
    """
    if label not in labels:
        raise ValueError(f"'{name}' has no label '{label}'. Its labels: {', '.join(labels)}.")
    return labels.index(label)
