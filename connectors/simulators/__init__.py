"""Stand-in peers that speak the real protocols, each with a journal."""
