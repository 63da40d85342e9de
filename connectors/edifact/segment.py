"""One segment as text and as elements: splitting, release characters, and writing them again."""

from __future__ import annotations

import re
from collections.abc import Callable

from connectors.edifact.charsets import decode
from connectors.edifact.delimiters import Delimiters
from connectors.edifact.errors import EdifactError
from connectors.edifact.lossless import Element, Segment

_FIRST = 0xE000  # released characters, while a segment is split: Latin-1 text has no such character


class Signs:
    """Delimiters made ready for splitting and joining segments."""

    def __init__(self, delimiters: Delimiters) -> None:
        self.delimiters = delimiters
        self.component, self.element = delimiters.component, delimiters.element
        self.release, self.repetition = delimiters.release, delimiters.repetition
        self.terminator = delimiters.segment
        self._special = re.compile(f"[{re.escape(delimiters.characters())}]")
        characters = delimiters.characters() if self.release else ""
        ordered = sorted(characters, key=lambda character: character != self.release)
        self._released = [(self.release + one, chr(_FIRST + n)) for n, one in enumerate(ordered)]
        self._needless = re.compile(re.escape(self.release) + "(.)", re.DOTALL) if self.release else None
        self._back = {_FIRST + n: one for n, one in enumerate(ordered)}

    def split(self, body: str) -> Segment:
        """The segment whose text without glue and terminator this is; ASCII, or still bytes as Latin-1."""
        if self.release and self.release in body:
            return self._split_released(body)
        parts = body.split(self.element)
        if self.repetition and self.repetition in body:
            return {"id": parts[0], "elements": [self._element(part) for part in parts[1:]]}
        component = self.component
        if component in body:
            return {
                "id": parts[0],
                "elements": [part.split(component) if component in part else part for part in parts[1:]],
            }
        return {"id": parts[0], "elements": [*parts[1:]]}

    def split_decoded(self, body: str, encoding: str) -> Segment:
        """The same for bytes (given as Latin-1 text) beyond ASCII."""
        segment = self.split(body)
        found = decode(body, encoding)[1]
        segment["id"] = decode(segment["id"], found)[0]
        segment["elements"] = [_decoded(element, found) for element in segment["elements"]]
        if "raw" in segment:
            segment["raw"] = decode(segment["raw"], found)[0]
        if found != encoding:
            segment["encoding"] = found
        return segment

    def _split_released(self, body: str) -> Segment:
        text = body
        for pair, stand_in in self._released:
            text = text.replace(pair, stand_in)
        assert self._needless is not None
        text = self._needless.sub(r"\1", text)
        parts = text.split(self.element)
        elements = [_translated(self._element(part), self._back) for part in parts[1:]]
        segment: Segment = {"id": parts[0].translate(self._back), "elements": elements}
        if self.join(segment) != body:
            segment["raw"] = body
        return segment

    def _element(self, part: str) -> Element:
        if self.repetition and self.repetition in part:
            return {"repeat": [self._composite(one) for one in part.split(self.repetition)]}
        return self._composite(part)

    def _composite(self, part: str) -> str | list[str]:
        return part.split(self.component) if self.component in part else part

    def join(self, segment: Segment) -> str:
        """Text without glue and terminator, each delimiter in the data released.

        Raises ``EdifactError`` where there is no release character and one is needed.
        """
        return self.element.join([segment["id"], *map(self._joined, segment["elements"])])

    def _joined(self, element: Element) -> str:
        if isinstance(element, str):
            return self.escape(element)
        if isinstance(element, dict):
            if not self.repetition and len(element["repeat"]) > 1:
                raise EdifactError(
                    "an element is repeated, and this interchange has no repetition separator",
                    code="repetition_impossible",
                    next_action="use syntax version 4 with a repetition separator, or give one value",
                )
            return self.repetition.join(map(self._joined, element["repeat"]))
        return self.component.join(map(self.escape, element))

    def escape(self, text: str) -> str:
        """The text with each delimiter in it released. Raises as ``join``."""
        if not self._special.search(text):
            return text
        if not self.release:
            raise EdifactError(
                f"{text[:40]!r} holds a delimiter, and this interchange has no release character",
                code="release_impossible",
                next_action="use delimiters with a release character, or take the character out",
            )
        return self._special.sub(lambda match: self.release + match[0], text)


def _decoded(element: Element, encoding: str) -> Element:
    return _mapped(element, lambda text: text if text.isascii() else decode(text, encoding)[0])


def _translated(element: Element, back: dict[int, str]) -> Element:
    return _mapped(element, lambda text: text.translate(back))


def _mapped(element: Element, change: Callable[[str], str]) -> Element:
    if isinstance(element, dict):
        repeat = [change(one) if isinstance(one, str) else [*map(change, one)] for one in element["repeat"]]
        return {"repeat": repeat}
    return change(element) if isinstance(element, str) else [*map(change, element)]
