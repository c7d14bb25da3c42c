"""Clips through filters: feature maps, and the clips that excite a unit."""
