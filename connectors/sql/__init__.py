"""SQL databases: rows queried, polled and written, values only as parameters."""
