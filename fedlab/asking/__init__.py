"""Ask before you train: figures over all sites, from sums that pass the sites' one door."""

from fedlab.asking.questions import Questions

__all__ = ["Questions"]
