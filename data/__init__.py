"""relimit's data layer."""
