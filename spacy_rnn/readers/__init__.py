"""Registered readers: files in, spaCy's examples out."""
