"""relimit's policy layer."""
