"""Reports on the corpora and the memory of a training, before it starts."""
