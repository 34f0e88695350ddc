"""Lockgate as a process, official SDKs as processes, real sockets between them."""

import pytest

pytest.register_assert_rewrite("tests.e2e.cases", "tests.e2e.recorder")
