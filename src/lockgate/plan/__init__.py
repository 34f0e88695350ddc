"""From documents to what the hot path reads: one immutable snapshot, and who serves a request. Pure."""
