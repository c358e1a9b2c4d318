"""The components: what ``nlp.add_pipe`` gives."""
