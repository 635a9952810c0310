"""Sums of which nobody sees a part: masks that cancel, shares that survive whoever is gone."""
