"""Paths of the project."""

from pathlib import Path

#: the repository
ROOT = Path(__file__).parents[2]
