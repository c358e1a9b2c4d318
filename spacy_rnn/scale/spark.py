"""Annotation of Spark's data frames."""

from typing import TYPE_CHECKING, Any, Iterator, Optional, Sequence

from .annotator import Annotator

if TYPE_CHECKING:
    from pandas import DataFrame


class SparkAnnotator:
    """A function for `mapInPandas` that adds the predictions of a pipeline. Each worker process of
    Spark loads the pipeline once.

    annotator (Annotator): Predicts.
    """

    def __init__(self, annotator: Annotator):
        self._annotator = annotator

    def schema(self, schema: Any) -> Any:
        """Get the second argument of `mapInPandas`.

        schema (pyspark.sql.types.StructType): The columns of the data frame.
        RETURNS (pyspark.sql.types.StructType): These and the columns that are added.
        RAISES (ValueError): If columns are missing or would be replaced, or the pipeline does not
            load.
        """
        self._annotator.check_columns(schema.names)
        # The class has what makes types of text; nothing else of Spark is needed.
        struct = type(schema)
        forms = self._annotator.forms().items()
        added = struct.fromDDL(
            ", ".join(f"`{_quoted(name)}` {_type(each)}" for name, each in forms)
        )
        return struct([*schema.fields, *added.fields])

    def __call__(self, frames: Iterator["DataFrame"]) -> Iterator["DataFrame"]:
        return map(self._annotator, frames)


def spark_annotator(
    model: str, columns: Optional[Sequence[str]] = None, text_column: str = "text"
) -> SparkAnnotator:
    """Make a function for `mapInPandas` of Spark.

    model, columns, text_column: see `spacy_rnn.scale.annotator.Annotator`.
    RETURNS (SparkAnnotator): The function, which also knows the schema of what it returns.
    """
    return SparkAnnotator(Annotator(model, columns, text_column))


def _type(form: Any) -> str:
    """The type in SQL of values of a form, see `spacy_rnn.pipeline.predictions.Prediction`."""
    if isinstance(form, list):
        return f"array<{_type(form[0])}>"
    if isinstance(form, dict):
        fields = (f"`{_quoted(name)}`: {_type(each)}" for name, each in form.items())
        return f"struct<{', '.join(fields)}>"
    return {str: "string", int: "bigint", float: "double"}[form]


def _quoted(name: str) -> str:
    return name.replace("`", "``")
