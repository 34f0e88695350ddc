"""``python -m lockgate``, and the ``lockgate`` command."""

from __future__ import annotations

import gc

_START_OBJECTS = 50_000
"""So many objects are made before the collector looks for cycles: modules stay, and looking through them again and
again takes a quarter of the start."""


def main() -> None:
    """Run the command line."""
    gc.set_threshold(_START_OBJECTS, *gc.get_threshold()[1:])
    from lockgate.cli import main as run

    run()


if __name__ == "__main__":
    main()
