"""The networks: torch only, nothing of spaCy or thinc. One idea a file."""
