"""Failed recipients and reasons from the delivery failure reports of Domino and Notes."""
