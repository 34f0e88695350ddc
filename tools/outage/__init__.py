"""Tries to make Lockgate lose a record, or keep one twice: python -m tools.outage kill --kills 200

``stage`` starts the processes, ``load`` asks them, ``ledger`` compares what the store has with what clients and the
simulator saw. Each drill is a module: ``kill``, ``stopped``, ``corrupt``, ``full``.
"""
