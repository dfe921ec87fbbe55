"""One file for each command of the command line; ``launch/cli.py`` imports a file when its command is called."""
