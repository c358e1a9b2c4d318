"""Settings of a language model of characters as a part of a token's embedding."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Optional

import spacy

from .. import nn
from ..features.contextual_strings import ContextualStringFeature, SourceModel
from ..features.streams import BACKWARD
from ..features.units import Characters
from .encoder import RNNEncoder


@dataclass(frozen=True)
class ContextualStrings:
    """spacy_rnn.ContextualStrings.v1: the states of a trained "rnn_lm" of characters at each word.

    The language model is loaded when training starts; then it is a part of the component and saved
    with it. Words are read with a space between any two, as in tokenized text.

    source (Optional[str]): The pipeline with the language model: a directory, or the name of an
        installed package.
    component (str): Name of the language model there. The direction of its encoder should be
        "both".
    trained (bool): Fine-tune the language model; otherwise its weights are frozen.
    """

    source: Optional[str] = None
    component: str = "rnn_lm"
    trained: bool = False

    def feature(self, name: str) -> ContextualStringFeature:
        return ContextualStringFeature(name, self._load)

    def module(self, feature: ContextualStringFeature) -> "nn.contextual_strings.ContextualStrings":
        settings = feature.settings
        encoder = RNNEncoder(**settings["encoder"])
        readers = {
            direction: nn.contextual_strings.CharacterReader(
                len(feature.characters), encoder.module(settings["embedding_size"])
            )
            for direction in settings["directions"]
        }
        module = nn.contextual_strings.ContextualStrings(
            feature.name, readers, BACKWARD, feature.marks, self.trained
        )
        if feature.weights:
            module.readers.load_state_dict(feature.weights)
        return module

    def _load(self) -> SourceModel:
        """Load the language model from its pipeline."""
        if self.source is None:
            raise ValueError(
                "spacy_rnn.ContextualStrings.v1 needs a trained language model: set 'source' to a "
                'pipeline with an "rnn_lm" of characters (configs/lm_characters.cfg trains one).'
            )
        nlp = spacy.load(self.source)
        if self.component not in nlp.component_names:
            raise ValueError(
                f"The pipeline '{self.source}' has no component '{self.component}', only "
                f"{nlp.component_names}. Set 'component' of spacy_rnn.ContextualStrings.v1 to the "
                f'name of its "rnn_lm".'
            )
        pipe: Any = nlp.get_pipe(self.component)
        shim = getattr(getattr(pipe, "model", None), "shims", [None])[0]
        units = getattr(shim, "features", None)
        if not isinstance(units, Characters):
            raise ValueError(
                f"'{self.component}' of the pipeline '{self.source}' is not a language model of "
                f'characters. Train an "rnn_lm" with units spacy_rnn.CharacterUnits.v1 '
                f"(configs/lm_characters.cfg)."
            )
        if shim.outputs["condition"]:
            raise ValueError(
                f"'{self.component}' of the pipeline '{self.source}' starts from a condition, "
                f"which an embedding does not have. Train it with condition = null."
            )
        network, module = shim.architecture, shim.module
        settings = {
            "embedding_size": network.embedding_size,
            "encoder": asdict(replace(network.encoder, direction="forward")),
            "directions": list(module),
        }
        weights = {
            name: weight
            for name, weight in module.state_dict().items()
            if name.split(".")[1] in ("embedding", "encoder")
        }
        return SourceModel(units, settings, weights)
