"""Relevance: how well an item answers a purchase, as a sum of named parts.

Numbers in, numbers out: no catalogue directory, no store, no clock. Start reading at
:mod:`trendloom.relevance.score`.
"""
