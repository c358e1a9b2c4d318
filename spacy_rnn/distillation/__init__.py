"""Distillation: a small pipeline learns what larger ones, or other services, answer."""
