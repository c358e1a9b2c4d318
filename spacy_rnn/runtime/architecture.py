"""The base of the architectures: the parts of a network as a config names them."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Dict, Generic, Iterator, List, Literal, Mapping, Sequence, Tuple, TypeVar

from ..onnx.session import Graphs, check_complete
from ..validation import at_least
from .batching import MemoryLimits
from .shim import FeaturesT, ModuleT, TorchShim
from .tok2vec import DocBatch

OutT = TypeVar("OutT")


Precision = Literal["none", "bf16", "fp16"]
#: settings of how documents are read, which are not those of the network
_READING = {"mixed_precision", "batch_tokens", "window", "overlap", "max_length", "keep"}
#: last parts of the paths of settings that only training reads; what came of them is saved
_TRAINING = {
    "activation_regularization",
    "alpha",
    "arguments",
    "byte_fallback",
    "character_coverage",
    "chrono_length",
    "component",
    "embedding_dropout",
    "extra_words",
    "max_words",
    "min_freq",
    "model_type",
    "path",
    "recurrent_dropout",
    "source",
    "temporal_regularization",
    "trained",
    "unknown_dropout",
    "vocab_size",
}


@dataclass(frozen=True, kw_only=True)
class Architecture(Generic[FeaturesT, ModuleT, OutT]):
    """Base of the architectures, which are the settings of a network. Makes the features and the
    module that they stand for, and predicts with them; both are kept in a `TorchShim`.

    mixed_precision (str): Half precision, "bf16" or "fp16", for training and prediction on a GPU;
        with "bf16" also for training on a CPU that multiplies bfloat16 matrices (AMX). Ignored
        elsewhere.
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

    # Saved networks

    @property
    def network_settings(self) -> Dict[str, Any]:
        """The settings that predictions depend on by their paths, such as "encoder.cell"
        (Dict[str, Any])."""
        found: Dict[str, Any] = {}
        for field in fields(self):
            if field.name not in _READING:
                found.update(_flat(field.name, getattr(self, field.name)))
        return {path: v for path, v in found.items() if path.rpartition(".")[2] not in _TRAINING}

    def check_settings(self, saved: Mapping[str, Any]) -> None:
        """Check that a network was saved with these settings.

        saved (Mapping[str, Any]): Its `network_settings`.
        RAISES (ValueError): If they differ.
        """
        present = self.network_settings
        differing = [n for n in sorted({*saved, *present}) if saved.get(n) != present.get(n)]
        if differing:
            pairs = [f"{n} = {saved.get(n)!r}, now {present.get(n)!r}" for n in differing]
            raise ValueError(
                f"The network was saved with other settings: {'; '.join(pairs)}. Use the "
                f"config.cfg that was saved beside it."
            )

    def graph_names(self, features: FeaturesT, outputs: Dict[str, int]) -> List[str]:
        """Return the names of the graphs by which the network predicts without torch; by default
        none, where it needs torch.

        features (FeaturesT): The features.
        outputs (Dict[str, int]): Sizes of the output layers.
        RETURNS (List[str]): The paths of the parts of the module that the graphs replace.
        """
        return []

    def check_graphs(self, graphs: Graphs, features: FeaturesT, outputs: Dict[str, int]) -> None:
        """Check that all graphs by which the network predicts were saved.

        graphs (Graphs): The graphs.
        features (FeaturesT), outputs (Dict[str, int]): As of `graph_names`.
        RAISES (ValueError): If one is missing.
        """
        check_complete(graphs, self.graph_names(features, outputs))

    # Torch

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


def _flat(path: str, value: Any) -> Iterator[Tuple[str, Any]]:
    """Yield settings by path, as JSON has them."""
    if is_dataclass(value):
        yield path, type(value).__name__
        value = vars(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}", inner)
    elif isinstance(value, (list, tuple)):
        yield path, [str(item) for item in value]
    else:
        simple = value is None or isinstance(value, (bool, int, float, str))
        yield path, value if simple else type(value).__name__
