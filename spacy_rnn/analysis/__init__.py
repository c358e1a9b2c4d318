"""Analyses of trained networks: memory, gradients, agreement, saliency and hidden states."""
