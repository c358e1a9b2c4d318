"""Language models of characters as a part of a token's embedding."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Optional

import spacy

from ..features.contextual_strings import Sourced, WordCharacters
from ..features.units import Characters
from ..nn import embedding as layers
from .encoder import RNNEncoder


@dataclass(frozen=True)
class ContextualStrings:
    """spacy_rnn.ContextualStrings.v1: the states of a trained "rnn_lm" of characters at each word.

    It is read when training starts; then its network is a part of the component and saved with it.
    Words are read with a blank between any two, as in tokenized text.

    source: the pipeline that has it, a directory or the name of an installed package.
    component: its name there. Its encoder's direction should be "both".
    trained: fine-tune it; otherwise it stays as it is, and costs no backward pass.
    """

    source: Optional[str] = None
    component: str = "rnn_lm"
    trained: bool = False

    def feature(self, name: str) -> WordCharacters:
        return WordCharacters(name, self._load)

    def module(self, feature: Any) -> layers.ContextualStrings:
        """feature: that of this part, built."""
        settings = feature.settings
        encoder = RNNEncoder(**settings["encoder"])
        readers = {
            name: layers.CharacterReader(
                len(feature.characters), encoder.module(settings["embedding_size"])
            )
            for name in settings["directions"]
        }
        module = layers.ContextualStrings(readers, self.trained)
        if feature.weights:
            module.readers.load_state_dict(feature.weights)
        return module

    def _load(self) -> Sourced:
        """The language model of another pipeline."""
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
                f"'{self.component}' of the pipeline '{self.source}' is no language model of "
                f'characters. Train an "rnn_lm" with units spacy_rnn.CharacterUnits.v1 '
                f"(configs/lm_characters.cfg)."
            )
        if shim.outputs["condition"]:
            raise ValueError(
                f"'{self.component}' of the pipeline '{self.source}' starts from a condition, "
                f"which nothing here gives. Train it with condition = null."
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
        return Sourced(units, settings, weights)
