"""Items that dress a memo, and those that do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.transform.pipeline import Context, convert
from services.transform.steps import appearance
from shared.mail.edits import apply

MakeContext = Callable[[str, str], Context]


@pytest.mark.parametrize(
    ("item", "stays"),
    [
        (b"X-Notes-Item: C; type=4; name=$Moods\r\n", False),
        (b"X-NOTES-ITEM: C; name=Mood; type=4\r\n", False),
        (b'x-notes-item: StdNotesLtr25;\r\n type=4;\r\n name="$LetterHead"\r\n', False),
        (b"X-Notes-Item: 0; type=300; name=\r\n\t$StatusColor\r\n", False),
        (b"X-Notes-Item: 8D2C6E16; type=4; name=$TUA\r\n", True),
        (b"X-Notes-Item: Logo; type=4; name=Categories\r\n", True),
        (b"X-Notes-Item: name=Logo\r\n", False),
        (b"X-Notes-Item: C\r\n", True),
        (b"X-KeepSent: 6CBD77E3:9C21DB41-C12583EE:002D0F7C; type=4; name=$KeepSent\r\n", True),
        (b"X-MIMETrack: Itemize by SMTP Server on HUB/ACME(Release 8.5.3)\r\n", True),
    ],
)
def test_only_items_that_dress_the_memo_are_dropped(item: bytes, stays: bool, make_context: MakeContext) -> None:
    content = b"Subject: x\r\n" + item + b"Date: y\r\n\r\n" + item
    result = apply(content, convert(content, make_context("domino", "exchange"), [appearance.STEP]).edits)
    assert result == (content if stays else b"Subject: x\r\nDate: y\r\n\r\n" + item)
