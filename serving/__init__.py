"""relimit's serving layer."""
