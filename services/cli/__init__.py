"""The `causeway` command: one thin file a command, over `shared.administration`."""
