"""The destination of a recipient's mail and the form of an address on each side. Pure, except for reading the map."""
