"""People in control: who approves, who owns an exception, what is repaired, and the record of it."""
