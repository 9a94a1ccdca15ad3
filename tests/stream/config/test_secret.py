import copy
import pickle
from pathlib import Path

import pytest

from stream.config import Config, load
from stream.config.loading import load_with_places
from stream.config.secret import Secret
from stream.config.show import effective_yaml
from stream.exits import Exit, Refused

CANARY = "canary-2b5f"


def test_a_secret_is_read_from_where_it_is(tmp_path: Path):
    file = tmp_path / "password"
    file.write_text(f"{CANARY}\n")
    assert Secret(f"file:{file}").reveal() == CANARY
    assert Secret("env:PASSWORD").reveal({"PASSWORD": CANARY}) == CANARY


@pytest.mark.parametrize("reference", ["env:NOT_SET", "file:/no/such/file", "file:/"])
def test_a_reference_that_leads_nowhere_is_refused(reference: str):
    with pytest.raises(Refused, match="which a secret refers to") as refused:
        Secret(reference).reveal({})
    assert refused.value.code == Exit.CONFIG


def test_an_empty_file_is_no_secret(tmp_path: Path):
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(Refused, match="is empty"):
        Secret(f"file:{tmp_path / 'empty'}").reveal()


def test_a_secret_prints_as_stars_however_it_is_printed():
    secret = Secret("env:PASSWORD")
    assert str(secret) == repr(secret) == f"{secret}" == "***"
    assert copy.copy(secret) == pickle.loads(pickle.dumps(secret)) == secret  # noqa: S301  our own bytes


def test_a_literal_secret_in_a_file_is_refused_without_being_quoted(tmp_path: Path):
    file = tmp_path / "c.yaml"
    file.write_text(f"kafka:\n  security.protocol: SASL_SSL\n  sasl.password: {CANARY}\n")
    with pytest.raises(Refused) as refused:
        load(file, environ={})
    assert f"{file}:3: kafka.sasl.password: a secret is given by reference" in str(refused.value)
    assert "(allowed: env:NAME, file:PATH)" in str(refused.value)
    assert CANARY not in str(refused.value)


def test_no_secret_is_shown_whatever_else_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STREAMGAUGE__KAFKA__SASL_PASSWORD", CANARY)
    file = tmp_path / "c.yaml"
    file.write_text(
        f"kafka:\n  bootstrap.servers: 'me:{CANARY}@kafka'\n  ssl.key.pem: {CANARY}\n  sasl.password: {CANARY}\n"
        f"  sasl.oauthbearer.client.secret: {CANARY}\n  ssl.key.password: [{CANARY}]\n  sasl.pasword: {CANARY}\n"
    )
    with pytest.raises(Refused) as refused:
        load(file)
    assert CANARY not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 6


def test_a_password_variable_is_its_own_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STREAMGAUGE__KAFKA__SASL_PASSWORD", CANARY)
    file = tmp_path / "c.yaml"
    file.write_text("kafka: {security.protocol: sasl_ssl, sasl.mechanism: PLAIN, sasl.username: me}\n")
    loaded = load_with_places(file)
    password = loaded.config.kafka["sasl.password"]
    assert isinstance(password, Secret)
    assert password.reveal() == CANARY
    shown = [effective_yaml(loaded), repr(loaded), str(loaded.config), loaded.config.model_dump_json()]
    assert all(CANARY not in text for text in shown)
    assert all("***" in text for text in shown)


def test_configurations_with_the_same_references_are_equal():
    written = {"kafka": {"security.protocol": "SSL", "ssl.key.password": "env:A"}}
    assert Config.model_validate(written) == Config.model_validate(written)
