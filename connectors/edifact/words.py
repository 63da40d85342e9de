"""The codes of a CONTRL in words (data element 0085)."""

from __future__ import annotations

from connectors.sdk.words import Words

_0085 = {
    "2": "the syntax version or level is not supported", "7": "it is not for them", "12": "a value is not valid",
    "13": "something that is mandatory is missing", "14": "a value is not supported here",
    "15": "it is not supported here", "16": "there are too many parts", "17": "there is no agreement for it",
    "18": "an error without a name", "19": "the decimal sign is not valid",
    "20": "a character is not valid as a service character", "21": "a character is not valid",
    "22": "a service character is not valid", "23": "they do not know the sender", "24": "it is too old",
    "25": "the test indicator is not supported", "26": "it was sent before",
    "27": "the security is not supported", "28": "references do not match", "29": "a count does not match",
    "30": "groups and messages are mixed", "31": "a group holds messages of several types",
    "32": "there is nothing in it", "33": "something stands outside any message or group",
    "34": "a nesting indicator is not allowed", "35": "a segment occurs too often",
    "36": "a segment group occurs too often", "37": "the characters are of the wrong kind",
    "38": "a digit is missing before the decimal sign", "39": "an element is too long",
    "40": "an element is too short", "41": "there is an error in the network",
    "42": "there is an error in the transmission", "45": "a separator stands at the end for nothing",
    "46": "the character set is not supported", "47": "the envelope is not supported",
    "48": "elements depend on each other and do not fit",
}  # fmt: skip
#: By the segment that tells it: interchange, group, message, segment, element.
WORDS = Words(dict.fromkeys(("UCI", "UCF", "UCM", "UCS", "UCD"), _0085))
