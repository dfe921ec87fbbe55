"""The networks: backbones that turn photos into embeddings. The only package that imports torch."""
