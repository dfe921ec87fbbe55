"""Readers of recorded purchase logs, shared by producers and evaluation."""
