"""Whatever colour a client chooses, its pages can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime.console import brand
from runtime.console.brand import contrast, legible, stylesheet


def test_contrast_is_that_of_the_standard() -> None:
    """WCAG 2.2: 21 for black on white, 1 for a colour on itself; #767676 is the lightest grey that passes AA."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#0b6e6e", "#0b6e6e") == pytest.approx(1)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    "color", ["#000000", "#ffffff", "#ffff00", "#00ff00", "#0000ff", "#808080", "#0b6e6e", "#ff6a00", "#7a1f5c"]
)
def test_text_and_buttons_pass_aa_on_light_and_on_dark(color: str) -> None:
    light, dark = re.findall(r"--accent: (#\w{6}); --on-accent: (#\w{6})", stylesheet(color))

    for ground in ("#f5f7f9", "#ffffff", "#f0f3f6"):
        assert contrast(light[0], ground) >= 4.5
    for ground in ("#11161b", "#1a2027", "#12171d"):
        assert contrast(dark[0], ground) >= 4.5
    assert contrast(*light) >= 4.5
    assert contrast(*dark) >= 4.5


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert legible("#0b6e6e", "#ffffff") == "#0b6e6e"


def test_the_colours_of_the_stylesheet_pass_aa_in_both_schemes() -> None:
    """Words on badges, notices and grounds; the frame of fields at least 3 to 1 (success criterion 1.4.11)."""
    text = (Path(brand.__file__).parent / "static" / "console.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([a-z-]+): (#\w{6})", block)) for block in text.split("@media")[:2])

    for scheme in (light, {**light, **dark}):
        for word in ("good", "warn", "bad", "info", "calm"):
            assert contrast(scheme[word], scheme[f"{word}-bg"]) >= 4.5, word
        for ground in ("ground", "card", "sunk"):
            assert contrast(scheme["ink"], scheme[ground]) >= 4.5
            assert contrast(scheme["soft"], scheme[ground]) >= 4.5
            assert contrast(scheme["edge"], scheme[ground]) >= 3
        assert contrast(scheme["ink"], scheme["bad-bg"]) >= 4.5
        assert contrast(scheme["bad"], scheme["card"]) >= 4.5
