"""Every unit of a network, kept in one folder: what is to be done, who does it, and what is left behind."""
