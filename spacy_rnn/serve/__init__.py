"""A web service that predicts with a pipeline."""
