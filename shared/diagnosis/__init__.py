"""What `causeway check` finds: faults, warnings, what is different around us. One line each."""
