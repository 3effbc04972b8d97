"""The page of promises and the tests that show them say the same."""

import re

from tests.support.promises import PAGE, TESTS, carried, defined, shown_in


def test_each_promise_is_defined_once_and_no_line_of_the_page_is_missed() -> None:
    codes = [code for code, _ in defined()]
    assert len(codes) > 40
    assert len(codes) == len(set(codes))
    assert codes == re.findall(r"^- \*\*(\w+)\*\*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_test_carries_a_promise_of_the_page() -> None:
    assert carried().keys() <= {code for code, _ in defined()}


def test_the_page_says_where_each_promise_is_shown() -> None:
    folders = carried()
    assert dict(defined()) == {code: shown_in(folders.get(code, set())) for code, _ in defined()}


def test_no_test_has_a_code_in_its_name() -> None:
    named = re.compile(r"def test_[a-z]\d+_\w+")
    found = {
        path.name: codes
        for path in TESTS.rglob("test_*.py")
        if (codes := named.findall(path.read_text(encoding="utf-8")))
    }
    assert found == {}
