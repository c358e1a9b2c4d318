"""Registered networks: settings in, one thinc model around one torch module out."""
