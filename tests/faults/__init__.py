"""The system under kill, race and outage: nothing lost, nothing doubled."""
