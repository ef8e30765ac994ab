"""Where a recipient's mail goes and how an address reads on each side. Pure, but for reading the address map."""
