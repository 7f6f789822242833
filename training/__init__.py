"""relimit's training layer."""
