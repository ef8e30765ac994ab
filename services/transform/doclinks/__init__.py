"""Notes document links: what an .ndl part says, the addresses made of it, and where in the text they belong."""
