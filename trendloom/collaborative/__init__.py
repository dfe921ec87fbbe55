"""Trained collaborative models as plain arrays: kept in a file, applied without torch. Start at ``model.py``."""
