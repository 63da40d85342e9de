"""The reference pages of connectors come from their declarations."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from connectors.sdk import (
    Call,
    Connector,
    Context,
    Effect,
    Misconfigured,
    Parameters,
    SecretStr,
    Settings,
    load,
    names,
)
from runtime.model import generate, reference


class PeerSettings(Settings):
    """A peer."""

    host: str = Field(description="where | it is", examples=["a.example"])
    password: SecretStr | None = Field(default=None, description="how", examples=["env:P"])


class SendParameters(Parameters):
    """What is sent."""

    text: str = Field(description="the text", examples=["hello"])
    often: int = Field(default=1, description="how often", examples=[2])


class Send(Call[SendParameters]):
    """Send a text."""

    name = "send"
    effect = Effect.IDEMPOTENT
    outcomes = ("done", "refused")
    Parameters = SendParameters

    def run(self, parameters: SendParameters, context: Context) -> str:
        return parameters.text


PEER = Connector(name="peer", title="A peer", operations=(Send,), settings=PeerSettings)


def test_settings_operations_outcomes_and_effects_are_told() -> None:
    """Everything that a flow's author has to know stands in tables."""
    page = reference.reference(PEER).splitlines()

    assert "### Connection `peer`" in page
    assert '| `host` | string | required | where \\| it is | `"a.example"` |' in page
    assert '| `password` | secret |  | how | `"env:P"` |' in page
    assert "### `peer.send`" in page
    assert "- Effect: idempotent: repeating does nothing more." in page
    assert "- Outcomes: `done`, `refused`." in page
    assert "| `often` | whole number | `1` | how often | `2` |" in page


def test_the_text_around_the_marks_stays(tmp_path: Path) -> None:
    """What is written by hand is kept, what stood between the marks is replaced."""
    page = f"# Peer\n\n{reference.BEGIN}\nold\n{reference.END}\n\nAfter.\n"

    made = reference.filled(page, "new\n", tmp_path)

    assert made == f"# Peer\n\n{reference.BEGIN}\nnew\n{reference.END}\n\nAfter.\n"
    assert reference.filled(made, "new\n", tmp_path) == made


@pytest.mark.parametrize("page", ["# Peer\n", f"{reference.END}{reference.BEGIN}", f"{reference.BEGIN}" * 2])
def test_a_page_without_a_place_for_the_reference_is_refused(page: str, tmp_path: Path) -> None:
    """The error says which file and what to write there."""
    with pytest.raises(Misconfigured, match="no place for the reference") as refused:
        reference.filled(page, "new\n", tmp_path / "README.md")

    assert reference.BEGIN in refused.value.next_action


def test_written_pages_are_not_stale_until_they_are_changed(tmp_path: Path) -> None:
    """For every installed connector that lies in the folder, with the further pages of those that have some."""
    pages = []
    for name in names():
        page = tmp_path / "connectors" / name / "README.md"
        page.parent.mkdir(parents=True)
        page.write_text(f"{reference.BEGIN}\n{reference.END}\n")
        pages += [page, page.with_name("SETS.md")] if load(name).pages else [page]

    schemas = [path for path in generate.stale(tmp_path) if path.suffix == ".json"]
    assert generate.stale(tmp_path) == generate.write(tmp_path) == schemas + pages
    assert generate.stale(tmp_path) == generate.write(tmp_path) == []
    for name in names():
        assert reference.reference(load(name)) in (tmp_path / "connectors" / name / "README.md").read_text()

    pages[0].write_text(pages[0].read_text().replace("|", "!"))
    assert generate.stale(tmp_path) == [pages[0]]
    [sets] = [page for page in pages if page.parent.name == "x12" and page.name == "SETS.md"]
    sets.unlink()
    assert generate.stale(tmp_path) == [pages[0], sets]
