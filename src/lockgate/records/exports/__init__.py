"""Records written into files that other programs read: JSON lines, CSV, Parquet."""
