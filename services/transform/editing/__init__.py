"""Edits that several steps make: of text bodies, alternatives, parts and the declarations of their headers."""
