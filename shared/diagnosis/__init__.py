"""What `causeway check` finds: faults, warnings, and what does not match in the environment. One line each."""
