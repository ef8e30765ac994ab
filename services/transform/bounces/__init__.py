"""What Domino's and Notes' reports of failed delivery say: whom they did not reach, and why."""
