"""What happens to each event: the Faust agents of a worker. Start reading at ``agents/app.py``."""
