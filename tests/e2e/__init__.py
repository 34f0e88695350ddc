"""Lockgate as a process, official SDKs as processes, real sockets between them."""
