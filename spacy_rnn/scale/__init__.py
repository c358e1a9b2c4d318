"""Predictions for more texts than one computer can read: with Ray Data, Spark or Dask."""

from .annotator import Annotator
from .ray_data import annotate
from .spark import spark_annotator

__all__ = ["Annotator", "annotate", "spark_annotator"]
