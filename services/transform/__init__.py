"""Transform: converts each accepted message for the systems it goes to, as edits over its original bytes."""
