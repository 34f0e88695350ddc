"""Deterministic, seeded fakes of the model providers, for CI, demos and our own tests.

What belongs here: everything one fake provider needs, and what the fakes share. ``app`` is the ASGI app, ``serve`` runs
it, one package per provider (``anthropic``, ``openai``) holds that provider's endpoints. Later providers (Bedrock,
Vertex) get a package of their own and one line in ``app.PROVIDERS``; later endpoints get a module in their package.

What does not: anything of the gateway. The simulator imports no dialect, no catalogue and no data plane, so that a
mistake cannot be made the same way on both sides of the wire.
"""
