"""The rooms of Causeway: each service imports shared code and itself, never another service."""
