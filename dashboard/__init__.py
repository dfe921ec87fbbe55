"""What people see: the page with the garments' pictures. Start reading at ``dashboard/server.py``."""
