"""Growing the trees of the preset ``learned`` from a recorded log; :mod:`evaluation.ranking.growing` calls LightGBM."""
