"""A hint at the end of a training that was too short."""

from typing import Optional, Sequence, Tuple

from spacy.language import Language

#: a rising score gains at least this share of itself in the last quarter of the steps
MIN_GAIN = 0.01


def rising_hint(nlp: Language, checkpoints: Sequence[Tuple[float, int]]) -> Optional[str]:
    """Get the advice to train longer, if the score of a training was still rising when `max_steps`
    ended it: the last evaluation was the best, and clearly better than all those in the first three
    quarters of the steps.

    nlp (Language): The pipeline, with the settings of the training.
    checkpoints (Sequence[Tuple[float, int]]): The score and the step of each evaluation.
    RETURNS (Optional[str]): The advice; None if there is none.
    """
    training = nlp.config.interpolate()["training"]
    max_steps, (*others, (last, step)) = training["max_steps"], checkpoints
    early = [score for score, at in others if at <= 0.75 * max_steps]
    if not max_steps or not early or step + training["eval_frequency"] <= max_steps:
        return None
    if last <= max(score for score, _ in others) or last - max(early) < MIN_GAIN * abs(last):
        return None
    settings = f"--training.max_steps {2 * max_steps}"
    rate = training["optimizer"].get("learn_rate")
    if isinstance(rate, dict) and rate.get("total_steps") == max_steps:
        settings += f" --training.optimizer.learn_rate.total_steps {2 * max_steps}"
    return f"The score was still rising at step {step}, the last one. To train longer: {settings}"
