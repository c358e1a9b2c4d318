"""Requests with texts: their limits, and messages for those that are refused."""

import json
from dataclasses import dataclass
from typing import Any, List

from ..validation import at_least

EXPECTED = 'a JSON object {"texts": [...]}'
#: characters of bad input that a message shows
SHOWN = 40


@dataclass(frozen=True)
class Limits:
    """Limits of a request.

    max_texts (int): Texts in a request.
    max_length (int): Characters in a text.
    max_body (int): Bytes in the body of a request.
    """

    max_texts: int = 100
    max_length: int = 20_000
    max_body: int = 1 << 20

    def __post_init__(self) -> None:
        at_least(1, max_texts=self.max_texts, max_length=self.max_length, max_body=self.max_body)


class BadRequest(Exception):
    """A request that is refused.

    status (int): The status code of HTTP.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


async def read_texts(request: Any, limits: Limits) -> List[str]:
    """Read the texts of a request, `{"texts": [...]}`.

    request (starlette.requests.Request): The request.
    limits (Limits): Its limits.
    RETURNS (List[str]): The texts.
    RAISES (BadRequest): If the request is not well-formed or beyond the limits.
    """
    from starlette.requests import ClientDisconnect

    body, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            # Read to the end even if it is too long: many clients read no answer before they have
            # sent everything.
            size += len(chunk)
            if size <= limits.max_body:
                body += chunk
    except ClientDisconnect as error:
        raise BadRequest(400, "The body has no end.") from error
    if size > limits.max_body:
        raise BadRequest(413, f"The body has {size} bytes; at most {limits.max_body} are allowed.")
    return check_texts(_parse(bytes(body)), limits)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf8"))
    except UnicodeDecodeError as error:
        raise BadRequest(400, f"The body is not UTF-8: byte {error.start + 1} is bad.") from error
    except (ValueError, RecursionError) as error:
        reason = str(error) if body else "it is empty"
        raise BadRequest(400, f"The body is not JSON ({reason}). Send {EXPECTED}.") from error


def check_texts(data: Any, limits: Limits) -> List[str]:
    """Get the texts of a parsed request.

    data (Any): What the JSON says.
    limits (Limits): The limits.
    RETURNS (List[str]): The texts.
    RAISES (BadRequest): If there is anything else, or too much.
    """
    texts = data.get("texts") if isinstance(data, dict) and len(data) == 1 else None
    if not isinstance(texts, list):
        raise BadRequest(422, f"The body must be {EXPECTED}, got {_show(data)}.")
    if len(texts) > limits.max_texts:
        raise BadRequest(
            422,
            f"There are {len(texts)} texts; at most {limits.max_texts} are allowed in a request. "
            f"Send several requests.",
        )
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise BadRequest(422, f"Text {number} must be a string, got {_show(text)}.")
        if len(text) > limits.max_length:
            raise BadRequest(
                422,
                f"Text {number} has {len(text)} characters; at most {limits.max_length} are "
                f"allowed. Split it.",
            )
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise BadRequest(
                422, f"Text {number} has half of a surrogate pair, so it is not valid."
            )
    return texts


def _show(data: Any) -> str:
    text = json.dumps(data)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
