"""What the pages that are opened in a browser have in common: their files and the pictures of garments."""
