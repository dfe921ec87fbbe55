"""Who takes part in an evaluation: one file a family; :mod:`evaluation.contestants.registry` knows them by name."""
