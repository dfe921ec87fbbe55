"""The collaborative networks: GMF, MLP, NeuMF and an MLP that sees pictures. Start at ``networks.py``."""
