"""What recurrent networks remember, and why they answer as they do."""
