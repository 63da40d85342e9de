"""Advances runs: one run, one step further, the same whether it is fresh, resumed or repaired."""
