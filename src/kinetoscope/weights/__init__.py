"""Weights as they come: shipped, downloaded, and out of whatever file holds them."""
