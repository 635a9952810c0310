"""From a site's own columns, codes and units to the federation's features.

A mapping is a file of a few lines, which stays at the site:

>>> mercy = Mapping.parse('''
... version: 1
... target:
...   name: died                 # the federation's name
...   column: DISPOSITION        # the site's
...   values: {Expired: 1, Home: 0, Rehab: 0}
... patient: MRN
... dates: "%m/%d/%Y"            # how dates are written; without it 2020-11-23
... decimal: "."                 # or ",", the sign within numbers that are text
... missing: ["", NA, -9]        # what means "no value"
... features:
...   age:
...     derive: years_between(BIRTH, ADMITTED)
...     range: [18, 110]         # plausible values, in the federation's unit
...     outside: missing         # or keep, or error
...   temperature: {column: TEMP_F, unit: "[degF]", to: Cel}
...   glucose: {column: GLU, unit: mg/dL, to: mmol/L}
...   albumin: {column: ALB, unit: g/dL, to: umol/L, molar_mass: 66500}
...   weight: {column: Body Weight, unit: lb, to: kg}
...   height: {column: HT, unit: in, to: m, helper: true}
...   bmi: {derive: weight / height ** 2}
...   diabetes:
...     column: ICD10
...     values: {E10*: type 1, E11*: type 2, "*": none}
...     categories: [none, type 1, type 2]
...   ward: WARD                 # a name alone is that of the column
... ''')
>>> mercy
Mapping(9 features, target='died')

A value that stands in no map is unmapped: it becomes missing, and the site remembers that it was
there. The same keys make a TOML file.
"""

from fedlab.site.mapping.feature import FeatureMapping
from fedlab.site.mapping.mapping import Mapping
from fedlab.site.mapping.report import Mapped, MappingReport

__all__ = ["FeatureMapping", "Mapped", "Mapping", "MappingReport"]
