"""What the command line and the web console both do with a gateway, in values and functions."""
