"""Where events come from: synthetic customers and recorded logs. Start reading at ``producers/sender.py``."""
