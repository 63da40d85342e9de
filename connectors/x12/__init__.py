"""ANSI X12: a lossless codec without I/O, the operations ``x12.read`` and ``x12.write``, and a command."""
