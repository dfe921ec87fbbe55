"""Search by photo: ``Similar.open(catalogue).search(photo, k=5)``. Start reading at ``trendloom/similar/search.py``."""

from trendloom.similar.search import Answer, Match, Similar

__all__ = ["Answer", "Match", "Similar"]
