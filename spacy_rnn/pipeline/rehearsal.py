"""Rehearsal: training on new data without forgetting earlier predictions."""

from typing import Any, Dict, Iterable, List, Optional

from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from thinc.api import Model, Optimizer, set_dropout_rate

from ..runtime.model import Targets, begin_update, outputs_of
from .labels import LabelPipe


class RehearsingPipe(LabelPipe):
    """Base of the components that can rehearse: they learn from the distribution that a copy of
    their own earlier network predicts. A subclass adds `get_rehearsal_targets` to what `LabelPipe`
    needs.
    """

    #: the copy, which nlp.resume_training sets
    _rehearsal_model: Optional[Model] = None
    #: the component's optimizer in nlp.rehearse
    _rehearsal_optimizer: Optional[Optimizer] = None

    def get_rehearsal_targets(self, docs: List[Doc], teacher: Any) -> Targets:
        """Get the targets of a rehearsal.

        docs (List[Doc]): The documents, none of them empty.
        teacher (Any): The outputs of the earlier network for them.
        RETURNS (Targets): The targets, with the divergence from the teacher as their loss.
        """
        raise NotImplementedError

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn from a batch of examples to predict what the component predicted when
        nlp.resume_training was called. The examples' annotation is ignored; labels that were added
        since are not affected.

        examples (Iterable[Example]): A batch of Example objects, of texts like those that the
            component was trained on before.
        drop (float): The rate of locked dropout.
        sgd (thinc.api.Optimizer): The optimizer; without one, gradients add up until
            finish_update.
        losses (Dict[str, float]): Optional record of the loss, the Kullback-Leibler divergence from
            the earlier prediction; 0 if nothing has changed.
        RETURNS (Dict[str, float]): The updated losses dictionary.
        RAISES (ValueError): If there is no earlier state, or the component listens to a shared
            tok2vec.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        validate_examples(examples, f"{type(self).__name__}.rehearse")
        if self._rehearsal_model is None:
            raise ValueError(
                f"'{self.name}' has no earlier state to rehearse. Call optimizer = "
                f"nlp.resume_training() before you continue training."
            )
        if any(hasattr(layer, "upstream_name") for layer in self.model.walk()):
            raise ValueError(
                f"'{self.name}' cannot rehearse while it listens to another component, which "
                f"changes too. Give it a copy of its own: nlp.replace_listeners('tok2vec', "
                f"{self.name!r}, ['model.tok2vec'])."
            )
        docs = [eg.predicted for eg in examples if len(eg.predicted)]
        if not docs:
            return losses
        targets = self.get_rehearsal_targets(docs, outputs_of(self._rehearsal_model, docs))
        set_dropout_rate(self.model, drop)
        self._backprop([begin_update(self.model, docs, targets)], losses)
        if sgd not in (None, False):
            self.finish_update(sgd if isinstance(sgd, Optimizer) else self._own_optimizer(sgd))
        return losses

    def _own_optimizer(self, sgd: Any) -> Optimizer:
        """Get an optimizer with the rates of another. nlp.rehearse passes not its optimizer but a
        function that collects gradients, and then uses those of one component only."""
        if self._rehearsal_optimizer is None:
            self._rehearsal_optimizer = Optimizer(
                sgd.learn_rate, beta1=sgd.b1, beta2=sgd.b2, grad_clip=1.0, use_averages=False
            )
        self._rehearsal_optimizer.learn_rate = sgd.learn_rate
        return self._rehearsal_optimizer
