"""What a unit answers to, measured as a physiologist would, and the picture of it held against that."""
