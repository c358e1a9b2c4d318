"""The torch runtime under the models: the shim, the optimizer and threads."""
