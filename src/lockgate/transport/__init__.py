"""HTTP towards the outside: the pool that reaches providers, and the guard on every address a client chose.

What belongs here: sockets, TLS, proxies, connection reuse, time limits on the wire. What does not: anything
that knows a dialect, a provider or a policy.
"""
