"""The fake of the Anthropic API. Files, batches and others will be modules of their own beside ``endpoints``."""
