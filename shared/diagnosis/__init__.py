"""The findings of `causeway check`: faults, warnings, and conflicts with the environment. One line each."""
