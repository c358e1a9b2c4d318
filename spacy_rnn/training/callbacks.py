"""Callbacks of spaCy's training loop."""

from typing import Any, Callable, Dict

from spacy.language import Language

from ..validation import at_least


def make_decode_every(evaluations: int, eval_frequency: int) -> Callable[..., None]:
    """spacy_rnn.decode_every.v1: decode translations only at every n-th evaluation, as
    `before_update` of [training]. At other evaluations translations are empty and score 0; the
    scores of predicted gold translations, which take a fraction of the time, are always computed.

    evaluations (int): n. The first evaluation, of an untrained network, is not counted.
    eval_frequency (int): The `eval_frequency` of [training].
    RETURNS (Callable): The callback.
    """
    at_least(1, evaluations=evaluations, eval_frequency=eval_frequency)

    def before_update(nlp: Language, args: Dict[str, Any]) -> None:
        evaluation, since = divmod(args["step"], eval_frequency)
        # spaCy evaluates after the update of a step without remainder.
        decodes = since > 0 or (evaluation > 0 and evaluation % evaluations == 0)
        for _, pipe in nlp.pipeline:
            if hasattr(pipe, "decodes"):
                pipe.decodes = decodes  # type: ignore[attr-defined]

    return before_update
