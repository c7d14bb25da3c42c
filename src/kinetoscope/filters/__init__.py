"""Filters of a network, brought to where they can be looked at."""
