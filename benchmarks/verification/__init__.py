"""What judges and filters responses: how often it is right, and how fast."""
