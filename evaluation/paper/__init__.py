"""The source paper's experiment, repaired. Read :mod:`evaluation.paper.experiment` first, and ``docs/paper.md``."""
