"""What has broken readers of JSON before: raw tokens to put in the place of a value, and whole records."""

import json
from typing import Final

NUMBERS: Final = (
    b"9" * 6_000,
    b"-" + b"9" * 6_000,
    b"1" + b"0" * 400,
    b"0." + b"0" * 5_000 + b"1",
    b"1e999",
    b"-1e999",
    b"1e-999",
    b"1e99999999999999999999",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"-0",
    b"-0.0",
    b"0123",
    b"+1",
    b".5",
    b"1.",
    b"0x10",
    b"1_000",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"253402300799999",
    b"253402300800000",
    b"4.9e-324",
    b"1.7976931348623157e308",
)
TEXTS: Final = (
    rb'"\ud800"',
    rb'"\udc00x"',
    rb'"\ud83d\ude00"',
    rb'"\u0000"',
    b'"\x00"',
    b'"\x01"',
    rb'"\x"',
    rb'"\u12"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    b'"' + "\u202e\u2028\ufeff".encode() + b'"',
    b'"' + b"a" * 100_000 + b'"',
    b'"' + b"[{" * 5_000 + b'"',
    b'"unterminated',
    b'""',
    b'" "',
    b"'single'",
    b'"2026-02-30T00:00:00Z"',
    b'"0000-00-00T00:00:00Z"',
    b'"9999-12-31T23:59:60Z"',
    b'"10000-01-01T00:00:00Z"',
    b'"1969-12-31T23:59:59Z"',
    b'"2026-01-01T00:00:00.123456789123456789Z"',
    b'"2026-01-01T00:00:00+99:99"',
    b'"-1"',
)
SHAPES: Final = (
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"[null]",
    b"[[[[[[]]]]]]",
    b'{"a":1,"a":2}',
    b'{"":""}',
    b'{"' + b"k" * 10_000 + b'":"v"}',
    b"[" * 200 + b"]" * 200,
    b"[" + b"1," * 5_000 + b"1]",
    b'{"a":' * 100 + b"1" + b"}" * 100,
    b"[1,]",
    b"{,}",
    b"",
    b"//",
)
TOKENS: Final = (*NUMBERS, *TEXTS, *SHAPES)


def records(good: bytes) -> list[bytes]:
    """Whole records made of a good one, some of them large."""
    inside = good[:-1]
    fields = json.loads(good)
    return [
        inside + b',"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        inside + b',"x":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"}",
        inside + b',"x":' + b"[" * 200_000,
        inside + b',"x":{"a":1' + b"".join(b',"f%d":1' % number for number in range(100_000)) + b"}}",
        inside + b',"labels":{"a":"1"' + b"".join(b',"f%d":"1"' % number for number in range(50_000)) + b"}}",
        inside + b',"schema":[' + b'{"name":"c","type":"t"},' * 20_000 + b'{"name":"c","type":"t"}]}',
        inside + b',"labels":' + b'{"a":"b",' * 3 + b'"c":"d"' + b"}" * 3 + b"}",
        inside
        + b"".join(
            b',"%b":%b' % (name.encode(), json.dumps(value).encode()) for name, value in fields.items()
        )
        + b"}",
        inside + b',"x":' + b"9" * 6_000 + b"}",
        b"\xef\xbb\xbf" + good,
        b"\xff\xfe" + good.decode().encode("utf-16-le"),
        good + b"\x00",
        b"\x00" * 1_000,
        good + good,
        b"[" + good + b"]",
        b'"' + good + b'"',
        b" " * 100_000 + good,
        good + b"\n" * 100_000,
        good[:-1],
        b"",
        b"null",
        b"\xc1" * 100,
        b"0" * 1_000_000,
        b'{"' * 300_000,
        b"\\" * 300_000,
        b'"' + b'\\"' * 300_000,
        inside + b',"x":"' + b"a" * 2_000_000 + b'"}',
    ]
