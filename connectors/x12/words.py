"""The codes of TA1 and 997 in words (X12 4010 data elements I18, 716, 718, 720, 723)."""

from __future__ import annotations

from connectors.sdk.words import Words

_AK403 = {
    "1": "a mandatory element is missing", "2": "a conditional element is missing", "3": "too many elements",
    "4": "an element is too short", "5": "an element is too long", "6": "a character is not allowed",
    "7": "a code is not valid", "8": "a date is not valid", "9": "a time is not valid",
    "10": "elements exclude each other", "12": "too many repetitions", "13": "too many components",
}  # fmt: skip
_AK304 = {
    "1": "the segment is not known", "2": "the segment is not expected", "3": "a mandatory segment is missing",
    "4": "the loop occurs too often", "5": "the segment occurs too often",
    "6": "the segment is not part of the set", "7": "the segment is out of sequence",
    "8": "the segment has elements in error",
}  # fmt: skip
_AK502 = {
    "1": "the set is not supported", "2": "its trailer is missing", "3": "its control numbers differ",
    "4": "its number of segments is wrong", "5": "segments are in error", "6": "its type is missing or not valid",
    "7": "its control number is missing or not valid", "23": "its control number was used before",
}  # fmt: skip
_AK905 = {
    "1": "the group is not supported", "2": "its version is not supported", "3": "its trailer is missing",
    "4": "its control numbers differ", "5": "its number of sets is wrong", "6": "its control number is not valid",
}  # fmt: skip
_TA105 = {
    "000": "no error", "001": "the control numbers of header and trailer differ",
    "002": "this standard is not supported", "003": "this version is not supported",
    "004": "the segment terminator is not valid", "005": "the sender's qualifier is not valid",
    "006": "the sender is not known", "007": "the receiver's qualifier is not valid",
    "008": "the receiver is not known", "009": "the receiver is not known", "014": "the date is not valid",
    "015": "the time is not valid", "016": "the standards identifier is not valid",
    "017": "the version is not valid", "018": "the control number is not valid",
    "019": "the acknowledgement request is not valid", "020": "the usage indicator is not valid",
    "021": "the number of groups is wrong", "022": "the control structure is not valid",
    "023": "the file ends too early", "024": "the content is not valid",
    "025": "the control number was used before",
    "026": "the element separator is not valid", "027": "the component separator is not valid",
    "028": "the delivery date is not valid", "029": "the delivery time is not valid",
}  # fmt: skip
WORDS = Words({"AK304": _AK304, "AK403": _AK403, "AK502": _AK502, "AK905": _AK905, "TA105": _TA105})
