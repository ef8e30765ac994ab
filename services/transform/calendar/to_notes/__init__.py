"""Exchange's calendar objects as Notes takes them. `convert` begins."""
