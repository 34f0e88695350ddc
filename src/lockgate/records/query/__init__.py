"""Filters: the text that people type, the parameters that Portkey's clients send, and the one tree that both become."""
