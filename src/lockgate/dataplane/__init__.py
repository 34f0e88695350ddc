"""The data plane: from a client's HTTP request to the answer, and one record of it.

It sees the outside only through ``lockgate.ports``; which transport, journal and clock stand behind them is decided
in ``lockgate.app``.
"""
