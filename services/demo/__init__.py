"""The demonstration, its catcher and its samples: beside the product, not in it."""
