"""How messages come in: one door for webhooks, files, listeners, schedules and events."""
