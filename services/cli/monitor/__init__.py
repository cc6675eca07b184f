"""`aps monitor`: the live picture of the whole, in a terminal."""
