"""The page and the HTTP endpoint that find what looks like a photo. Start reading at ``finder/page.py``."""
