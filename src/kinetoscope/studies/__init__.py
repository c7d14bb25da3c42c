"""Comparisons that take one unit many times: the ablations of the paper, and sanity checks."""
