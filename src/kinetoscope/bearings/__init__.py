"""The direction compass: clips for the angles of a layer's plane of motion direction, asked and recovered."""
