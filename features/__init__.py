"""relimit's features layer."""
