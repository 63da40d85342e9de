"""One segment as text and as elements: splitting, release characters, and writing them again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

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
        self._back = [(chr(_FIRST + n), one) for n, one in enumerate(ordered)]

    def split(self, body: str) -> Segment:
        """The segment whose text without glue and terminator this is; ASCII, or still bytes as Latin-1."""
        return self._split_released(body) if self.release and self.release in body else self._split(body)

    def split_all(self, bodies: list[str]) -> list[Segment]:
        """The same for many."""
        release, split_released, split = self.release, self._split_released, self._split
        if not release:
            return [*map(split, bodies)]
        return [split_released(body) if release in body else split(body) for body in bodies]

    def _split(self, body: str) -> Segment:
        """Without release characters. Changing the list that was split is faster than making another one."""
        elements: list[Any] = body.split(self.element)
        tag = elements.pop(0)
        if self.repetition and self.repetition in body:
            return {"id": tag, "elements": [*map(self._element, elements)]}
        component = self.component
        if component in body:
            at = 0
            for part in elements:
                if component in part:
                    elements[at] = part.split(component)
                at += 1  # noqa: SIM113 - faster than enumerate
        return {"id": tag, "elements": elements}

    def split_decoded(self, body: str, encoding: str) -> Segment:
        """The same for bytes (given as Latin-1 text) beyond ASCII."""
        text, found = decode(body, encoding)
        if found == "utf-8" and not (self.release and self.release in body):
            segment = self._split(text)  # no byte of a character beyond ASCII is one of the delimiters
        else:
            segment = self.split(body)
            segment["id"] = decode(segment["id"], found)[0]
            segment["elements"] = [_decoded(element, found) for element in segment["elements"]]
            if "raw" in segment:
                segment["raw"] = decode(segment["raw"], found)[0]
        if found != encoding:
            segment["encoding"] = found
        return segment

    def _split_released(self, body: str) -> Segment:
        text, release = body, self.release
        for pair, stand_in in self._released:
            text = text.replace(pair, stand_in)
        is_needless = release in text
        if is_needless:  # the last character stays: a release with nothing behind it, where a file breaks off
            text = text[:-1].replace(release, "") + text[-1]
        segment = self._split(text)
        if not text.isascii():
            tag, elements = segment["id"], segment["elements"]
            segment["id"] = self._put_back(tag)
            for at, element in enumerate(elements):
                if not isinstance(element, str):
                    elements[at] = _mapped(element, self._put_back)
                elif not element.isascii():
                    elements[at] = self._put_back(element)
            is_needless = is_needless or segment["id"] != tag  # a tag is written without release characters
        if is_needless:
            segment["raw"] = body
        return segment

    def _put_back(self, text: str) -> str:
        if not text.isascii():
            for stand_in, character in self._back:
                text = text.replace(stand_in, character)
        return text

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


def _mapped(element: Element, change: Callable[[str], str]) -> Element:
    if isinstance(element, dict):
        repeat = [change(one) if isinstance(one, str) else [*map(change, one)] for one in element["repeat"]]
        return {"repeat": repeat}
    return change(element) if isinstance(element, str) else [*map(change, element)]
