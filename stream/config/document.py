"""The configuration file as YAML: safe, bounded, and every key remembers its line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from stream.config.faults import ConfigError, Path, dotted

FILE_BYTES_MAX = 256 << 10
DEPTH_MAX = 32
NODES_MAX = 50_000
KEY_LENGTH_MAX = 1_000

_SCALARS = ("null", "bool", "int", "float", "str", "timestamp", "value")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in (*_SCALARS, "map", "seq")}


@dataclass(slots=True)
class Document:
    """What a file says (`values`), where (`places`: path to `file:line`), and what was wrong with its form."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read(file: FilePath) -> Document:
    """The document in `file`; ConfigError when it is not readable, not UTF-8, not YAML, or too large to be meant."""
    return parse(_content(file), str(file))


def parse(content: bytes, name: str) -> Document:
    """The document in `content`; `name` stands for the file in messages."""
    loader = _Loader(_decoded(content, name))
    try:
        root = loader.get_single_node()
        return _Builder(loader, name).document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError([f"{name}:{line}: not valid YAML: {error.problem or error.context}"]) from None
    finally:
        loader.dispose()


def _content(file: FilePath) -> bytes:
    try:
        if file.exists() and not file.is_file():
            raise ConfigError([f"{file}: is not a regular file"])
        with file.open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror}"]) from None
    if len(content) > FILE_BYTES_MAX:
        raise ConfigError(
            [f"{file}: larger than {FILE_BYTES_MAX >> 10} KiB, the most that a configuration may have"]
        )
    return content


def _decoded(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}:{line}: not UTF-8 text"]) from None
    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError([f"{name}:{line}: control character U+{ord(found[0]):04X}"])
    return text


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {DEPTH_MAX} levels", problem_mark=self.get_mark()
            )
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Builder:
    """Turns a node tree into plain values, counting every node that aliases repeat."""

    def __init__(self, loader: _Loader, name: str) -> None:
        self.loader, self.name = loader, name
        self.nodes = 0
        self.result = Document()

    def document(self, root: Any) -> Document:
        if root is None:
            return self.result
        value = self.value(root, ())
        if isinstance(value, dict):
            self.result.values = value
        else:
            self.fault(root, "the file must be a mapping of keys to values")
        return self.result

    def value(self, node: Any, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > NODES_MAX or len(path) > DEPTH_MAX:
            raise yaml.MarkedYAMLError(
                problem=f"aliases expand to more than {NODES_MAX} values", problem_mark=node.start_mark
            )
        self.result.places.setdefault(path, self.place(node))
        if node.tag not in _PLAIN_TAGS:
            self.fault(node, f"{dotted(path)}: the tag {node.tag} is not supported")
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, path)

    def mapping(self, node: Any, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.value == "<<":
                self.fault(
                    key_node, f"{dotted(path)}: a key must be a plain word; merge keys are not supported"
                )
                continue
            key = key_node.value[:KEY_LENGTH_MAX]
            here = (*path, key)
            if key in values:
                self.fault(key_node, f"{dotted(here)}: written twice, first at {self.result.places[here]}")
            self.result.places[here] = self.place(key_node)
            values[key] = self.value(value_node, here)
        return values

    def scalar(self, node: Any, path: Path) -> Any:
        if node.tag.endswith((":timestamp", ":value")):
            return node.value
        try:
            return self.loader.construct_object(node)
        except ValueError:
            self.fault(node, f"{dotted(path)}: cannot be read as {node.tag.rpartition(':')[2]}")
            return None

    def place(self, node: Any) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"

    def fault(self, node: Any, message: str) -> None:
        self.result.faults.append(f"{self.place(node)}: {message.removeprefix(': ')}")
