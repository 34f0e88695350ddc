"""Tries to make Lockgate spend more than its budgets allow: python -m tools.overspend --calls 10000 --workers 4 --kill

``stage`` starts the processes and makes providers, keys and limits; ``storm`` fires the calls; ``books`` compares what
the counters say with what the journals say, and both with the caps.
"""
