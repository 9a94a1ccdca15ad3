"""The page that makes the promises names, for each, tests that exist."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/explanation/promises.md"
PROMISES = ("G1", "G2", "G3", "G4", "G5", "G6")


def section(promise: str) -> str:
    (found,) = re.findall(
        rf"^\*\*{promise}\..*?(?=^\*\*G|^Not promised)", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    return str(found)


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_names_tests_that_show_it(promise: str):
    links = re.findall(r"\]\((\S*tests/\S+\.py)\)", section(promise))
    tests = [(PAGE.parent / link).resolve() for link in links if "/test_" in link]
    assert tests, f"{promise} names no test"
    for test in tests:
        assert "\ndef test_" in test.read_text(), f"{test} holds no test"


def test_every_link_of_the_page_leads_somewhere():
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", PAGE.read_text())
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
