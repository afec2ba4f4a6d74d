"""Worker processes: the side of the parent, the side of the child, and the wire between them."""
