"""relimit's models layer."""
