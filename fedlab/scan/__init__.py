"""Look for identifiers and rows of patients in what is about to be shared.

`scan_notebook` and `scan_text` give a `ScanReport`. ``python -m fedlab.scan *.ipynb`` does the same
for a commit hook. Detectors lie in one module a family and read text by bounded patterns.
"""

from fedlab.scan.kinds import KINDS
from fedlab.scan.report import Finding, ScanReport
from fedlab.scan.scanning import scan_notebook, scan_text

__all__ = ["KINDS", "Finding", "ScanReport", "scan_notebook", "scan_text"]
