"""A lab bench for federated learning in a notebook.

Rows stay at their site; an analyst asks, one round at a time, and sees what each site gave and what
it paid in privacy. See `Federation` to begin. Everything is loaded on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
