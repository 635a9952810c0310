"""Real patients at real hospitals, and one real table to simulate sites from.

=================  ======================================================  =========
loader             patients                                                sites
=================  ======================================================  =========
`opt`              659 pregnant women with periodontitis                   4 clinics
`indo`             602 patients after an endoscopy of the bile ducts       4 clinics
`heart_disease`    740 patients examined for coronary heart disease        4 clinics
`leukaemia`        1,015 patients with acute myeloid leukaemia             24 districts
`cgd`              128 patients with chronic granulomatous disease         13 centres
`dialysis`         6,805 patients on haemodialysis                         67 centres
`pbc3`             291 patients with primary biliary cholangitis           6 hospitals
`pbc`              312 patients with primary biliary cholangitis           simulated
`breast_cancer`    569 biopsies of one hospital                            simulated
=================  ======================================================  =========

`three_hospitals` writes files instead, in the forms in which hospitals keep records.
`cgd`, `dialysis` and `pbc` hold times to an event. `breast_cancer` comes with scikit-learn;
`heart_disease` reads four files that you download; the others come with
``pip install "fedlab-notebook[data]"``. Nothing is fetched by a loader.
"""

from __future__ import annotations

from fedlab.datasets._breast import breast_cancer
from fedlab.datasets._cgd import cgd
from fedlab.datasets._dialysis import dialysis
from fedlab.datasets._heart import heart_disease
from fedlab.datasets._indo import indo
from fedlab.datasets._leukaemia import leukaemia
from fedlab.datasets._opt import opt
from fedlab.datasets._pbc import pbc
from fedlab.datasets._pbc3 import pbc3
from fedlab.datasets._three_hospitals import three_hospitals, three_hospitals_table

__all__ = [
    "breast_cancer",
    "cgd",
    "dialysis",
    "heart_disease",
    "indo",
    "leukaemia",
    "opt",
    "pbc",
    "pbc3",
    "three_hospitals",
    "three_hospitals_table",
]
