"""The four routines. They speak with one another only through the bus."""
