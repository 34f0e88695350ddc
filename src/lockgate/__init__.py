"""Lockgate: a self-hosted AI gateway with Claude at its heart.

Importing this package opens nothing and loads no vendor; ``lockgate.app`` builds a running gateway.
"""

__version__ = "0.1.0"
