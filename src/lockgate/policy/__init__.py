"""Pure arithmetic of limits: periods, windows, and how the holds of a request evolve. Counters are behind ``ports``."""
