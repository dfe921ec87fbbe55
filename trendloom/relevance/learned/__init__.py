"""The preset ``learned``: signals of a purchase and a candidate, weighed by trees that were grown on a recorded log.

Needs numba (the extra ``fast``); lightgbm grows the trees but never runs on the stream. Read next:
:mod:`trendloom.relevance.learned.lists`.
"""
