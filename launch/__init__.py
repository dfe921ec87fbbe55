"""How to run it: the command line and what it starts; nobody imports this. Start reading at ``launch/cli.py``."""
