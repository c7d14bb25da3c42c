"""How much of the clip one unit sees: followed through every tensor operation."""
