"""What `spacy train` calls: schedules, loggers and callbacks."""
