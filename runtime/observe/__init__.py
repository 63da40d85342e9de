"""What the runtime tells of itself: logs, and later metrics and traces."""
