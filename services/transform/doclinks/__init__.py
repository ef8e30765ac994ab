"""Notes document links: parsing of .ndl parts, their addresses, and their positions in the text."""
