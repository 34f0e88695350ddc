"""Files of exports, read back into the store."""
