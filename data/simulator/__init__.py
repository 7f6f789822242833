"""relimit's data/simulator layer."""
