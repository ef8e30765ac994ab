"""Egress: delivers to the smart hosts of each system and settles what became of every recipient."""
