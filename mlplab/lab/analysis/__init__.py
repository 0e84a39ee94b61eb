"""What the stored results show."""
