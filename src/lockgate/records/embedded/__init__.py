"""The store for one machine: SQLite per day for fresh rows, sealed Parquet for old ones, DuckDB to read the latter.

DuckDB owns no data and is loaded by the first query that needs it.
"""
