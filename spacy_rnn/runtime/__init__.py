"""Between thinc and torch: models, the shim, the optimizer, batches and windows."""
