"""Connector nodes: one folder each, built on ``connectors.sdk`` and found by entry point."""
