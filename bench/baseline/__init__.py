"""A plain handler, to compare with."""
