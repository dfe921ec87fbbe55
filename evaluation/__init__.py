"""How good the lists are: replay, predict, then learn. Start reading at ``docs/reading-order.md``."""
