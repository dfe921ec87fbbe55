"""The garments: metadata, embeddings and visual neighbours in one directory, built once, loaded read-only."""
