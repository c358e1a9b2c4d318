"""A parser of protocol buffers.

SentencePiece writes its models and the offsets of pieces as such messages. Only this form works
with all of its versions, and without the library protobuf.
"""

from typing import Any, Iterator, Tuple


def fields(message: bytes) -> Iterator[Tuple[int, Any]]:
    """Parse a message.

    message (bytes): The message.
    YIELDS (Tuple[int, Any]): The number of each field with its value, an int or bytes.
    RAISES (ValueError): If a field has an unknown type.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
        else:
            size = {1: 8, 5: 4}.get(wire)
            if size is None:
                if wire != 2:
                    raise ValueError(f"it has a field of type {wire}")
                size, at = _varint(message, at)
            yield number, message[at : at + size]
            at += size


def _varint(message: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
