"""Training steps that are taken or skipped, and the scale of a float16 loss."""

import logging
from dataclasses import dataclass

logger = logging.getLogger("spacy_rnn")

#: steps without an overflow after which the scale of a float16 loss is doubled
STEPS_TO_GROW = 2000


@dataclass
class StepCounts:
    """Counts of the steps of a training. A checkpoint keeps them.

    loss_scale (float): Scales a float16 loss so that its gradients do not vanish; halved when they
        overflow.
    since_overflow (int): Steps that were taken since the last one with an overflow.
    skipped (int): Steps that were skipped, without those that set the scale.
    skipped_in_a_row (int): Those since the last step that was taken.
    """

    loss_scale: float = 2.0**12
    since_overflow: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0

    def take(self, scales_loss: bool) -> None:
        """Count a step whose gradient is finite.

        scales_loss (bool): The loss was scaled.
        """
        self.skipped_in_a_row = 0
        self.since_overflow += 1
        if scales_loss and self.since_overflow % STEPS_TO_GROW == 0:
            self.loss_scale *= 2.0

    def skip(self, scales_loss: bool, allowed: int) -> None:
        """Count a step that is skipped because its gradient is not finite.

        scales_loss (bool): The loss was scaled.
        allowed (int): The number of steps in a row that may be skipped.
        RAISES (ValueError): If so many were skipped in a row.
        """
        self.since_overflow = 0
        if scales_loss and self.loss_scale > 1.0:
            self.loss_scale /= 2.0
            return
        self.skipped += 1
        self.skipped_in_a_row += 1
        logger.warning("Skipped a training step: its loss or gradient was not finite.")
        if self.skipped_in_a_row >= allowed:
            raise ValueError(
                f"Training stopped: the loss or its gradient was not finite (NaN or infinity) in "
                f"{self.skipped_in_a_row} steps in a row, {self.skipped} in all. Usually the "
                f"learning rate is too high: lower [training.optimizer] learn_rate or let it warm "
                f"up, and keep grad_clip at 1.0 or below. If it happens from the first step, look "
                f"for NaN in pretrained vectors or class weights, and set mixed_precision to "
                f'"none".'
            )
