"""gzip: one compressed file, unpacked and packed."""
