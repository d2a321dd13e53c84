"""Fixtures of the Python checks. Each file also runs alone: `pytest .ci/checks/test_console.py`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kit import Client, Local  # noqa: E402


@pytest.fixture(scope="module")
def local(request):
    """`mfa-local`, with the options in `OPTIONS` of the module, if it has any."""
    options = getattr(request.module, "OPTIONS", [])
    name = request.module.__name__.replace("_", "-")
    with Local(name, *options) as program:
        yield program


@pytest.fixture(scope="module")
def mfa(local):
    """A connection to it."""
    return Client(local.url)
