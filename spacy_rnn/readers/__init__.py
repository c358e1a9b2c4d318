"""Registered readers, which make spaCy's examples from files."""
