"""Encodings of records: what is wrong with a schema or a registry is said when the configuration is read."""

from pathlib import Path
from typing import Any

import pytest

from stream.config import load
from stream.config.loading import load_with_places
from stream.config.show import effective_yaml
from stream.formats.encodings.schemas import Schema
from stream.formats.records import RecordSource
from tests.stream.config.writing import config_file, lines

AVRO = '{"type": "record", "name": "R", "fields": []}'


def source(more: str) -> str:
    return f"sources: [{{topic: a, format: records, {more}}}]\n"


def test_a_schema_file_is_read_when_the_configuration_is(tmp_path: Path) -> None:
    file = tmp_path / "orders.avsc"
    file.write_text(AVRO)
    read = load(config_file(tmp_path, source(f"encoding: avro, schema_file: {file}")), environ={})
    assert read.sources[0].reading == RecordSource(encoding="avro", schema=Schema("avro", AVRO.encode()))


def test_a_proto_file_is_compiled_when_the_configuration_is_read(tmp_path: Path) -> None:
    file = tmp_path / "o.proto"
    file.write_text('syntax = "proto3"; package a; message B {} message C { int32 d = 1; }')
    more = f"encoding: protobuf, schema_file: {file}, message: "
    reading = load(config_file(tmp_path, source(more + "a.C")), environ={}).sources[0].reading
    assert isinstance(reading, RecordSource)
    assert reading.schema is not None
    assert (reading.schema.language, reading.schema.message) == ("protobuf", "a.C")
    assert lines(tmp_path, source(more + "a.D")) == [
        "c.yaml:1: sources[0].schema_file: o.proto: it has no message a.D"
    ]
    file.write_text('syntax = "proto3"; message B { int32 d = 1 }')
    (line,) = lines(tmp_path, source(more + "a.B"))
    assert "schema_file: o.proto: no Protobuf schema: o.proto:1:44:" in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("encoding: avro", "c.yaml:1: sources[0].encoding: needs a schema_file here, or the section schema_registry"),
        ("schema_file: x.avsc", "c.yaml:1: sources[0].schema_file: is for encoding avro or protobuf, not json"),
        ("encoding: avro, schema_file: /no/x.avsc", "c.yaml:1: sources[0].schema_file: /no/x.avsc: No such file or directory"),
        ("encoding: avro, schema_file: /dev/null", "c.yaml:1: sources[0].schema_file: /dev/null: no Avro schema: Expecting value: line 1 column 1 (char 0)"),
        ("encoding: avro, schema_file: /dev/zero", "c.yaml:1: sources[0].schema_file: /dev/zero: larger than 4 MiB"),
        ("encoding: avro, message: a.B", "c.yaml:1: sources[0].message: is for encoding protobuf with a schema_file"),
        ("encoding: protobuf", "c.yaml:1: sources[0].encoding: needs a schema_file here, or the section schema_registry"),
        ("encoding: protobuf, schema_file: /no/x.proto", "c.yaml:1: sources[0].schema_file: /no/x.proto: No such file or directory"),
        ("encoding: thrift", "c.yaml:1: sources[0].encoding: 'thrift' is not one of them (allowed: json, avro, protobuf, json_schema)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_encoding_is_said_with_its_place(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert lines(tmp_path, source(text)) == [expected]


def test_an_encoding_is_of_records_only(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, "sources: [{topic: a, format: events, encoding: json_schema}]\n")
    assert "sources[0].encoding: is for format records" in line


def test_without_the_packages_the_command_that_installs_them_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "stream.formats.encodings.avro", None)
    (line,) = lines(tmp_path, source("encoding: avro") + "schema_registry: {url: http://localhost}\n")
    assert (
        "sources[0].encoding: avro needs packages that are not installed: pip install 'streamgauge[registry]'"
        in line
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "url: is required"),
        ("{url: localhost:8081}", "url: must begin with http:// or https:// and name a host"),
        ("{url: 'http://a:b@h'}", "url: has credentials in it: write them as basic.auth.user.info"),
        ("{url: http://h, basic.auth.user.info: env:X}", "url: would send credentials in the clear: use https"),
        ("{url: https://h, basic.auth.user.info: me:secret}",
         "basic.auth.user.info: a secret is given by reference, never as it is (allowed: env:NAME, file:PATH)"),
        ("{url: https://h, ssl.key.location: k}", "ssl.certificate.location: is required by ssl.key.location"),
        ("{url: https://h, timeout: 5}", "timeout: unknown key"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_registry_is_said_with_its_place(
    tmp_path: Path, text: str, expected: str
) -> None:
    (line,) = lines(tmp_path, f"schema_registry: {text}\n")
    assert line.startswith(f"c.yaml:1: schema_registry.{expected}")


def test_a_registry_is_told_to_its_client_in_its_own_words_and_its_secrets_to_nobody(tmp_path: Path) -> None:
    text = "schema_registry: {url: https://h, ssl.ca.location: ca.pem, ssl.certificate.location: c.pem}\n"
    environ = {"STREAMGAUGE__SCHEMA_REGISTRY__BASIC_AUTH_USER_INFO": "me:secret"}
    loaded = load_with_places(config_file(tmp_path, text), environ=environ)
    assert "secret" not in effective_yaml(loaded)
    assert "basic.auth.user.info: '***'" in effective_yaml(loaded)
    registry: Any = loaded.config.schema_registry
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMGAUGE__SCHEMA_REGISTRY__BASIC_AUTH_USER_INFO", "me:secret")
        assert registry.properties() == {
            "url": "https://h",
            "basic.auth.user.info": "me:secret",
            "ssl.ca.location": "ca.pem",
            "ssl.certificate.location": "c.pem",
        }


def test_a_contract_is_read_when_the_configuration_is(tmp_path: Path) -> None:
    file = tmp_path / "orders.schema.json"
    file.write_text('{"properties": {}}')
    read = load(config_file(tmp_path, source(f"contract: {{file: {file}}}")), environ={})
    assert read.sources[0].reading == RecordSource(contract=Schema("json", b'{"properties": {}}'))


@pytest.mark.parametrize(
    ("name", "text", "more", "expected"),
    [
        ("a.json", "[]", "", "file: {file}: no JSON Schema: it must be an object"),
        (
            "a.json",
            "{",
            "",
            "file: {file}: no JSON Schema: Expecting property name enclosed in double quotes",
        ),
        ("a.avsc", '"x"', "", "file: {file}: an Avro schema of a record is needed"),
        ("a.xml", "{}", "", "file: {file}: must end with .json, .avsc, .proto, .desc, .pb"),
        ("a.json", "{}", ", message: a.B", "message: is for a contract in Protobuf"),
    ],
)
def test_what_is_wrong_with_a_contract_is_said_with_its_place(
    tmp_path: Path, name: str, text: str, more: str, expected: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    (line,) = lines(tmp_path, source(f"contract: {{file: {file}{more}}}"))
    assert line.startswith("c.yaml:1: sources[0].contract." + expected.format(file=name))


def test_a_contract_that_is_not_there_is_said_with_its_place(tmp_path: Path) -> None:
    assert lines(tmp_path, source("contract: {file: /no/a.json}")) == [
        "c.yaml:1: sources[0].contract.file: /no/a.json: No such file or directory"
    ]
