"""The benchmark: what Lockgate costs, beside plain proxying and its peers, against a fake provider on this machine.

Run it with ``python -m bench``; ``docs/how-to/measure.md`` explains the method. Only the standard library is used,
so that nothing but a C compiler has to be installed. Not part of the product: nothing in ``lockgate`` imports this.
"""
