"""Real patients at real hospitals, and one real table to simulate sites from.

=================  ======================================================  =========
loader             patients                                                sites
=================  ======================================================  =========
`opt`              659 pregnant women with periodontitis                   4 clinics
`indo`             602 patients after an endoscopy of the bile ducts       4 clinics
`heart_disease`    740 patients examined for coronary heart disease        4 clinics
`breast_cancer`    569 biopsies of one hospital                            simulated
=================  ======================================================  =========

`opt` and `indo` come with ``pip install "fedlab-notebook[data]"``; `heart_disease` reads four
files that you download; `breast_cancer` comes with scikit-learn. Nothing is fetched by a loader.
"""

from __future__ import annotations

from fedlab.datasets._breast import breast_cancer
from fedlab.datasets._heart import heart_disease
from fedlab.datasets._indo import indo
from fedlab.datasets._opt import opt

__all__ = ["breast_cancer", "heart_disease", "indo", "opt"]
