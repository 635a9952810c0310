"""Arrays, models and metrics: what can be computed without knowing of sites or notebooks."""
