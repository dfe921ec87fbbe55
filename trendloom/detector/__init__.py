"""Garments in street photos: boxes with class and score. Start with :mod:`trendloom.detector.detect`."""
