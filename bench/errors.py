"""What may stop the benchmark or a part of it. The message is one sentence for the person who started it."""

from __future__ import annotations


class BenchError(Exception):
    """Something that the benchmark needs is not there or does not work."""
