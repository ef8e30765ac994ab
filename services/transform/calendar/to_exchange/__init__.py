"""Notes' calendar objects as Outlook takes them. `convert` begins."""
