"""The charset of a system's mail that declares none."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.configuration.systems import System


@pytest.mark.parametrize("label", ["iso-8859-2", "windows-1257", "KOI8-R", "gb2312"])
def test_a_label_of_the_registry_is_taken_as_it_is_written(label: str) -> None:
    assert System(name="notes", kind="domino", default_charset=label).default_charset == label


@pytest.mark.parametrize("label", ["latin-77", "", "utf-16", "replacement", "x-user-defined"])
def test_a_charset_that_is_not_known_is_refused_with_the_remedy(label: str) -> None:
    with pytest.raises(ValidationError, match="is not a known character set: write for example"):
        System(name="notes", kind="domino", default_charset=label)
