"""CSV: lines of separated values to JSON and back."""
