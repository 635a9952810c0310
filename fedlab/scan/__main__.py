"""``python -m fedlab.scan x.ipynb ...``: 0 if clean, 1 if not, 2 if a file cannot be read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fedlab.errors import DataError
from fedlab.scan.report import CLAIM, describe
from fedlab.scan.scanning import scan_notebook

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Scan notebooks and print where something was found, never what.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the command line.

    Returns
    -------
    int
        The exit code.
    """
    parser = argparse.ArgumentParser(
        prog="python -m fedlab.scan",
        description=f"Find what looks like identifiers or rows of patients. {CLAIM}",
    )
    parser.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
    parser.add_argument(
        "--rows", type=int, action="append", default=[], help="a number of rows that a site holds"
    )
    asked = parser.parse_args(arguments)
    code = 0
    for path in asked.notebooks:
        try:
            report = scan_notebook(path, rows=asked.rows)
        except DataError as error:
            print(f"{path}: {error}", file=sys.stderr)
            code = 2
            continue
        shown = path if path.endswith(report.name) else report.name
        for finding in report.open:
            print(f"{shown}: {describe(finding)}")
        for note in report.notes:
            print(f"{shown}: {note}")
        if not report.clean:
            code = max(code, 1)
    return code


if __name__ == "__main__":
    sys.exit(main())
