"""Which places and moments of a clip a unit answers to."""
