"""Tables and figures: computed values in, something to look at out.

They ask no site and call no verb, so they sit below the verbs, whose results show themselves here.
"""
