"""Text of strangers on a terminal: what would move the cursor, change colours or ring a bell is shown, not done."""

from __future__ import annotations

#: C0 but tab and line feed, DEL and C1 (ECMA-48, 5.2, 5.3): as control pictures (Unicode 2400), C1 in hexadecimal.
_SHOWN = (
    {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"}
    | {127: "\u2421"}
    | {code: f"\\x{code:02x}" for code in range(128, 160)}
)


def visible(text: str) -> str:
    """The same text with every control character made visible; tabs and line feeds stay."""
    return text.translate(_SHOWN)
