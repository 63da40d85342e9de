"""A client's colour, made legible: WCAG 2.2, success criterion 1.4.3 (4.5 to 1), on light and on dark."""

from __future__ import annotations

from typing import Final

LIGHT: Final = "#ffffff"
_ENOUGH: Final = 4.6

Rgb = tuple[float, float, float]


def contrast(one: str, other: str) -> float:
    """Contrast ratio from 1 to 21 of two colours like ``#0b6e6e`` (WCAG 2.2, *contrast ratio*)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def legible(color: str, ground: str) -> str:
    """The colour, moved towards black or white as far as it takes to be read on ``ground``."""
    towards = "#000000" if _luminance(ground) > 0.18 else "#ffffff"
    for step in range(101):
        mixed = _mix(color, towards, step / 100)
        if contrast(mixed, ground) >= _ENOUGH:
            return mixed
    return towards


def stylesheet(color: str) -> str:
    """Custom properties: ``--brand`` as it is, ``--accent`` as text and button, ``--on-accent`` upon it."""
    light, dark = legible(color, "#eef1f4"), legible(color, "#222a33")
    return (
        f":root {{ --brand: {color}; --accent: {light}; --on-accent: {LIGHT}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ --accent: {dark}; --on-accent: #0d1116; }} }}\n"
    )


def _rgb(color: str) -> Rgb:
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _luminance(color: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _rgb(color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix(color: str, towards: str, share: float) -> str:
    mixed = (a + (b - a) * share for a, b in zip(_rgb(color), _rgb(towards), strict=True))
    return "#" + "".join(f"{round(part * 255):02x}" for part in mixed)
