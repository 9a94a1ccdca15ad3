"""Paths: where in a record a value stands, as text: `customer.zip`, `items[].price`, `users{*}.name`.

The record itself is the empty path. A step is `.name`, `[]` for the items of an array, or `{*}` for the values of an object whose
names are data. A name with one of `. [ ] { } "` in it, or none at all, stands in double quotes, as JSON writes it.
"""

import json
import re
from typing import Final

ROOT: Final = ""
ITEMS: Final = "[]"
VALUES: Final = "{*}"
_PLAIN = re.compile(r'[^.\[\]{}"]+')
_STEP = re.compile(r'\.?(?:[^.\[\]{}"]+|"(?:[^"\\]|\\.)*")|\[\]|\{\*\}')


def step_of(name: str) -> str:
    """The step to a field.

    >>> step_of("zip"), step_of("a.b")
    ('.zip', '."a.b"')
    """
    return f".{name}" if _PLAIN.fullmatch(name) else f".{json.dumps(name, ensure_ascii=False)}"


def joined(path: str, step: str) -> str:
    """A path and one more step.

    >>> joined("", ".items"), joined("items", "[]"), joined("items[]", ".price")
    ('items', 'items[]', 'items[].price')
    """
    return path + step if path else step.removeprefix(".")


def steps(path: str) -> list[str]:
    """The steps of a path.

    >>> steps('items[]."a.b"{*}.name')
    ['items', '[]', '."a.b"', '{*}', '.name']
    """
    return _STEP.findall(path)


def field_names(path: str) -> tuple[str, ...]:
    """The names of a path that has no other steps.

    >>> field_names('order."a.b"')
    ('order', 'a.b')
    """
    names = (step.removeprefix(".") for step in steps(path))
    return tuple(json.loads(name) if name.startswith('"') else name for name in names)


def parent_of(path: str) -> str:
    """The path one step above.

    >>> parent_of("items[].price"), parent_of("items[]"), parent_of("items")
    ('items[]', 'items', '')
    """
    return "".join(steps(path)[:-1])


def is_inside(path: str, outer: str) -> bool:
    """Whether a path lies below another one.

    >>> is_inside("items[].price", "items"), is_inside("items2", "items")
    (True, False)
    """
    if outer == ROOT:
        return path != ROOT
    return path.startswith(outer) and path[len(outer) : len(outer) + 1] in (".", "[", "{")


def folded(path: str, outer: str) -> str:
    """A path below `outer`, with the name after it replaced by `{*}`.

    >>> folded("users.ann.age", "users")
    'users{*}.age'
    """
    rest = steps(path)[len(steps(outer)) :]
    return outer + VALUES + "".join(rest[1:])
