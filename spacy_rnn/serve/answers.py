"""Answers of a pipeline to texts, as JSON."""

import json
from typing import Any, Callable, Dict, List, Optional, Sequence, Type

from spacy.language import Language

from ..pipeline.language_model import RNNLanguageModel
from ..pipeline.predictions import as_json, predictions_of
from ..pipeline.translator import Alignment, RNNTranslator

#: answers to texts, in their order, each as JSON
Answer = Callable[[Sequence[str]], List[str]]
#: next words that are suggested
N_SUGGESTIONS = 5
#: a text that every component can read
SAMPLE = "a"


class Answers:
    """What a pipeline can answer. Its vocabulary forgets the new words of texts after each call.

    nlp (Language): The pipeline.

    by_name (Dict[str, Answer]): Functions from texts to answers:
        predict: the predictions of all components, as `spacy_rnn.pipeline.predictions.as_json`.
        attention: if there is a translator with attention, for each sentence its tokens, the pieces
            of its translation and the attention of each piece on each token.
        suggest: if there is a language model that reads forward without a condition, next words
            with their probabilities.
    """

    def __init__(self, nlp: Language):
        self._nlp = nlp
        self._predictions = predictions_of(nlp)
        self.by_name: Dict[str, Answer] = {"predict": self._predict}
        translator = self._find(RNNTranslator)
        model = self._find(RNNLanguageModel)
        if translator is not None:
            self._offer("attention", lambda texts: self._attention(translator, texts))
        if model is not None:
            self._offer("suggest", lambda texts: self._suggest(model, texts))

    def _find(self, kind: Type[Any]) -> Optional[Any]:
        return next((pipe for _, pipe in self._nlp.pipeline if isinstance(pipe, kind)), None)

    def _offer(self, name: str, answer: Answer) -> None:
        """Add a function, unless the component's network is of another kind."""
        try:
            answer([SAMPLE])
        except ValueError:
            return
        self.by_name[name] = answer

    def _predict(self, texts: Sequence[str]) -> List[str]:
        with self._nlp.memory_zone():
            docs = self._nlp.pipe(texts, batch_size=len(texts))
            return list(as_json(docs, self._predictions))

    def _attention(self, translator: RNNTranslator, texts: Sequence[str]) -> List[str]:
        with self._nlp.memory_zone():
            docs = list(self._nlp.pipe(texts, batch_size=len(texts), disable=[translator.name]))
            found = translator.align(docs)
            return [json.dumps(list(map(_as_dict, of_doc))) for of_doc in found]

    def _suggest(self, model: RNNLanguageModel, texts: Sequence[str]) -> List[str]:
        with self._nlp.memory_zone():
            found = [model.suggest(text, N_SUGGESTIONS) for text in texts]
            return [json.dumps([each._asdict() for each in of_text]) for of_text in found]


def _as_dict(alignment: Alignment) -> Dict[str, Any]:
    return {
        "tokens": [token.text for token in alignment.source],
        "pieces": list(alignment.pieces),
        "weights": [[round(float(w), 4) for w in row] for row in alignment.weights],
    }
