"""Registered functions of `spacy train`: schedules, loggers and callbacks."""
