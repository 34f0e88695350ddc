"""The canonical vocabulary: Structs and pure functions only. No I/O, no clock, no vendor."""
