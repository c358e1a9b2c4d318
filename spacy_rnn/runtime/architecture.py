"""The base of the architectures: the parts of a network as a config names them."""

from dataclasses import dataclass
from typing import Any, Dict, Generic, Literal, Sequence, TypeVar

from ..validation import at_least
from .batching import MemoryLimits
from .shim import FeaturesT, ModuleT, TorchShim
from .tok2vec import DocBatch

OutT = TypeVar("OutT")


Precision = Literal["none", "bf16", "fp16"]


@dataclass(frozen=True, kw_only=True)
class Architecture(Generic[FeaturesT, ModuleT, OutT]):
    """Base of the architectures, which are the settings of a network. Makes the features and the
    module that they stand for, and predicts with them; both are kept in a `TorchShim`.

    mixed_precision (str): Train and predict in half precision on a GPU ("bf16", "fp16"); ignored
        on a CPU.
    batch_tokens (int): Tokens in a batch of prediction, padding counted. Bounds memory; results do
        not depend on it.
    """

    mixed_precision: Precision = "none"
    batch_tokens: int = 4096

    def __post_init__(self) -> None:
        at_least(1, batch_tokens=self.batch_tokens)

    @property
    def limits(self) -> MemoryLimits:
        """Bounds on the memory of a prediction; by default nothing is read in windows."""
        return MemoryLimits(self.batch_tokens, window=1, overlap=0)

    def features(self) -> FeaturesT:
        """Make what turns documents into arrays, not yet built."""
        raise NotImplementedError

    def module(self, features: FeaturesT, outputs: Dict[str, int]) -> ModuleT:
        """Make the torch module, for features that are built.

        features (FeaturesT): The features.
        outputs (Dict[str, int]): Sizes of the output layers.
        RETURNS (ModuleT): The module.
        """
        raise NotImplementedError

    def initialize(self, shim: TorchShim[FeaturesT, ModuleT], X: Sequence[Any], Y: Any) -> None:
        """Build the features and the module from all training data.

        shim (TorchShim[FeaturesT, ModuleT]): The shim to fill.
        X (Sequence[Any]): The documents.
        Y (Any): What belongs to them, or sizes of the output layers.
        """
        raise NotImplementedError

    def batch(self, shim: TorchShim[FeaturesT, ModuleT], docs: DocBatch) -> Any:
        """Documents as the module's `forward` takes them.

        shim (TorchShim[FeaturesT, ModuleT]): Holds the features.
        docs (DocBatch): The documents.
        RETURNS (Any): Tensors on the module's device.
        """
        raise NotImplementedError

    def predict(
        self, shim: TorchShim[FeaturesT, ModuleT], docs: DocBatch, limits: MemoryLimits
    ) -> OutT:
        """Predict for documents of any length.

        shim (TorchShim[FeaturesT, ModuleT]): Holds the features and the module.
        docs (DocBatch): The documents, at least one.
        limits (MemoryLimits): The size of batches and windows.
        RETURNS (OutT): The prediction.
        """
        raise NotImplementedError
