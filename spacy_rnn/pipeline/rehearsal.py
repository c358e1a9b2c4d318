"""Rehearsal: components keep what they have learned while training goes on with new data."""

from typing import Any, Dict, Iterable, List, Optional

from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from thinc.api import Model, Optimizer, set_dropout_rate

from ..runtime.model import Gold, begin_update, outputs_of
from .base import RNNPipe


class RehearsingPipe(RNNPipe):
    """Base of the components that can rehearse: they learn from the distribution that a copy of
    their own earlier network predicts. A subclass provides the loss (`get_rehearsal`)."""

    #: the copy; nlp.resume_training sets it
    _rehearsal_model: Optional[Model] = None
    #: steps the component in nlp.rehearse
    _rehearsal_optimizer: Optional[Optimizer] = None

    def get_rehearsal(self, docs: List[Doc], teacher: Any) -> Gold:
        """What a rehearsal learns from.

        docs (List[Doc]): The documents, none of them empty.
        teacher: The outputs of the earlier network for them.
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
        nlp.resume_training was called. Their annotation is not read, and labels that have been
        added since are left as they are.

        examples (Iterable[Example]): A batch of Example objects, of texts as the component was
            trained on before.
        drop (float): The rate of locked dropout.
        sgd (thinc.api.Optimizer): The optimizer; without one, gradients add up until
            finish_update.
        losses (Dict[str, float]): Optional record of the loss, the Kullback-Leibler divergence from
            the earlier prediction: 0 where nothing has changed.
        RETURNS (Dict[str, float]): The updated losses dictionary.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        validate_examples(examples, f"{type(self).__name__}.rehearse")
        if self._rehearsal_model is None:
            raise ValueError(
                f"'{self.name}' has no earlier state to rehearse. Call optimizer = "
                f"nlp.resume_training() before you go on with training."
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
        gold = self.get_rehearsal(docs, outputs_of(self._rehearsal_model, docs))
        set_dropout_rate(self.model, drop)
        self._add_up([begin_update(self.model, docs, gold)], losses)
        if sgd not in (None, False):
            self.finish_update(sgd if isinstance(sgd, Optimizer) else self._own_optimizer(sgd))
        return losses

    def _own_optimizer(self, sgd: Any) -> Optimizer:
        """An optimizer with the rates of another. nlp.rehearse does not pass on its optimizer but a
        function that collects gradients, and then uses those of one component only."""
        if self._rehearsal_optimizer is None:
            self._rehearsal_optimizer = Optimizer(
                sgd.learn_rate, beta1=sgd.b1, beta2=sgd.b2, grad_clip=1.0, use_averages=False
            )
        self._rehearsal_optimizer.learn_rate = sgd.learn_rate
        return self._rehearsal_optimizer
