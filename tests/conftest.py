"""Set-up shared by all tests."""

import os
import tempfile

import pytest
from hypothesis import settings

# On a shared machine a slow example says nothing about the code, so no profile has a deadline.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's own data folder, with its identity keys, out of every test's reach.

    A hook and not a fixture, since the doctests of ``fedlab/`` see no fixture of this folder.
    """
    patch = pytest.MonkeyPatch()
    folder = tempfile.TemporaryDirectory(prefix="fedlab-tests-")
    patch.setenv("XDG_DATA_HOME", folder.name)
    config.add_cleanup(folder.cleanup)
    config.add_cleanup(patch.undo)
