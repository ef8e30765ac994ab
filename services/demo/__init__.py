"""The demonstration with its catcher and samples; not part of the product."""
