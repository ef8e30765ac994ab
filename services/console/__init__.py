"""The command line: thin skins over operations."""
