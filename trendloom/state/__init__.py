"""What is remembered between purchases: one protocol, one store in process and one in Redis."""
