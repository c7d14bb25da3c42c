"""What a picture of a unit claims, put to the test: re-drive, agreement across seeds, nothing found."""
