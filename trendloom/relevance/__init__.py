"""The relevance formula and its parts: numpy only, whole batches at once."""
