"""Custom data as JSON texts: what the server and both clients take alike, and what they refuse alike."""

from __future__ import annotations

import json

from chat.protocol import MAX_DATA_BYTES, MAX_DATA_DEPTH, MAX_INTEGER

_PADDING = MAX_DATA_BYTES - len('{"a":""}')


def _nested(depth: int, opening: str, closing: str) -> str:
    """Data of that depth: an object, and what is opened within it."""
    return '{"a":' + opening * (depth - 1) + "1" + closing * (depth - 1) + "}"


GOOD = {
    "a card": '{"type":"order","order":17,"price":"19.90","buttons":[{"text":"Track","paid":true,"note":null}]}',
    "empty names, strings, lists and objects": '{"":"","list":[],"object":{}}',
    "the greatest numbers": f'{{"most":{MAX_INTEGER},"least":-{MAX_INTEGER},"zero":0}}',
    "the names of JavaScript but one": '{"constructor":{"prototype":1},"toString":"x","hasOwnProperty":0,"length":9}',
    "names that are numbers": '{"10":"ten","9":"nine","b":1,"a":2}',
    "all planes": json.dumps({"é世👋": "\u2028\x7f\ufeff\U0010ffff"}, ensure_ascii=False),
    "escapes": '{"a":"\\u0000\\u001f\\"\\\\\\n\\ud83d\\udc4b"}',
    "as deep as it may be, in objects": _nested(MAX_DATA_DEPTH, '{"a":', "}"),
    "as deep as it may be, in lists": _nested(MAX_DATA_DEPTH, "[", "]"),
    "as long as it may be": '{"a":"' + "x" * _PADDING + '"}',
    "as long as it may be, of two bytes each": '{"a":"' + "é" * (_PADDING // 2) + '"}',
    "as long as it may be, of escapes": '{"a":"' + "\\n" * (_PADDING // 2) + '"}',
}

BAD = {
    "nothing": "{}",
    "a list": "[1]",
    "a string": '"{}"',
    "a number": "1",
    "true": "true",
    "a fraction": '{"a":1.5}',
    "a fraction far inside": '{"a":[{"b":[0.1]}]}',
    "a number with an exponent": '{"a":1e-7}',
    "a number that is not a double": '{"a":1e400}',
    "a number beyond what doubles tell apart": f'{{"a":{MAX_INTEGER + 1}}}',
    "one below": f'{{"a":-{MAX_INTEGER + 1}}}',
    "half of a pair": '{"a":"\\ud800"}',
    "half of a pair in a name": '{"\\udc00":1}',
    "a name that changes prototypes": '{"__proto__":{"isAdmin":true}}',
    "the same far inside": '{"a":[{"__proto__":1}]}',
    "too deep, in objects": _nested(MAX_DATA_DEPTH + 1, '{"a":', "}"),
    "too deep, in lists": _nested(MAX_DATA_DEPTH + 1, "[", "]"),
}

TOO_LONG = {
    "by a byte": '{"a":"' + "x" * (_PADDING + 1) + '"}',
    "by the second byte of a character": '{"a":"' + "é" * (_PADDING // 2) + "x" * (_PADDING % 2) + 'x"}',
    "by an escape": '{"a":"' + "x" * (_PADDING - 1) + '\\n"}',
    "in names": '{"' + "x" * MAX_DATA_BYTES + '":1}',
}
