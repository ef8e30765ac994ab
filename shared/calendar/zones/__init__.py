"""Time zones by whatever name or rule a client gives them, and as each side writes them. `find` begins."""
