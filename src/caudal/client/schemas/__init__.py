"""What clients are asked with, and what they return."""
