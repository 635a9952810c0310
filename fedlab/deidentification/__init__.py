"""Tables that may leave a site: identifiers taken out, and how far rows can be told apart.

`deidentify` applies the reductions of the Safe Harbor list to a table; `k_anonymity` says how many
rows share what outsiders may know of a person. Neither decides whether a table may leave.

Two libraries check k-anonymity on data frames, pycanon 1.3.6 and anjana 1.2.3 on top of it. Both
pin one exact pandas of series 2, and find classes by comparing values, so that a row with a missing
value is in no class at all. Grouping is two calls of pandas, so it is done here.
"""

from fedlab.deidentification.anonymity import KAnonymity, k_anonymity
from fedlab.deidentification.generalising import generalise
from fedlab.deidentification.reducing import deidentify
from fedlab.deidentification.report import Deidentified

__all__ = ["Deidentified", "KAnonymity", "deidentify", "generalise", "k_anonymity"]
