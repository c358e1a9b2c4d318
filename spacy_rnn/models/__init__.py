"""Registered architectures: config in, one thinc model around one torch module out."""
