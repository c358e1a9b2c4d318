"""What a corpus holds for components, and what training will take: numbers, before it starts."""
