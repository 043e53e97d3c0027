"""Corpora: motion and sentences as vectors, index and search, annotation of whole folders, LeRobot."""
