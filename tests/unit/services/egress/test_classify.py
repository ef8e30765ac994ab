from __future__ import annotations

import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.egress.classify import Trouble, failure_reply, outcome, remote_queue_id, session_trouble
from shared.mail.outcome import Deferred, Delivered, Refused
from shared.mail.reply import Reply


@given(st.integers(0, 999))
def test_only_2yz_delivers_and_only_5yz_refuses(code: int) -> None:
    kinds = {2: Delivered, 5: Refused}
    assert type(outcome("a@b", Reply(code, ""), "h:25")) is kinds.get(code // 100, Deferred)


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (421, Trouble.HOST),
        (450, Trouble.SESSION),
        (503, Trouble.SESSION),
        (530, Trouble.SESSION),
        (550, None),
        (354, Trouble.SESSION),
    ],
)
def test_what_a_reply_to_mail_says_of_the_host(code: int, trouble: Trouble | None) -> None:
    assert session_trouble(Reply(code, "")) is trouble


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        ConnectionRefusedError(),
        OSError(113, "No route to host"),
        socket.gaierror(-2, "Name or service not known"),
        ssl.SSLError(1, "wrong version number"),
        ValueError("unknown"),
    ],
)
@pytest.mark.parametrize("after", [None, "RCPT"])
def test_a_broken_connection_is_always_temporary(error: BaseException, after: str | None) -> None:
    assert isinstance(outcome("a@b", failure_reply(error, after), None), Deferred)


@pytest.mark.parametrize(
    ("error", "after", "reply"),
    [
        (TimeoutError(), None, "451 4.4.1 connection timed out"),
        (TimeoutError(), "RCPT", "451 4.4.2 timed out after RCPT"),
        (ConnectionRefusedError(), None, "451 4.4.1 connection refused"),
        (ConnectionResetError(), None, "451 4.4.2 lost connection after CONNECT"),
        (ConnectionResetError(), "DATA", "451 4.4.2 lost connection after DATA"),
        (EOFError(), "EHLO", "451 4.4.2 lost connection after EHLO"),
        (OSError(113, "No route to host"), None, "451 4.4.1 cannot connect: No route to host"),
        (OSError(113, "No route to host"), "MAIL", "451 4.4.2 lost connection after MAIL: No route to host"),
    ],
)
def test_a_broken_connection_names_what_was_sent_last(error: BaseException, after: str | None, reply: str) -> None:
    assert str(failure_reply(error, after)) == reply


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("Ok: queued as 4XyZ12abcdz", "4XyZ12abcdz"),
        ("Ok: queued mail as 4XyZ12", "4XyZ12"),
        (
            "<9c3e@example.com> [InternalId=12345678, Hostname=EX1.corp.example.com] 1523 bytes in 0.2, "
            "7.4 KB/sec Queued mail for delivery",
            "9c3e@example.com",
        ),
        ("Message accepted for delivery", None),
        ("Message accepted for delivery.", None),
        ("42BNnq5h019876 Message accepted for delivery", "42BNnq5h019876"),
        ("OK id=1rABCD-0001xY-2Z", "1rABCD-0001xY-2Z"),
        ("queued as 018f2a3b4c5d6e7f80", "018f2a3b4c5d6e7f80"),
        ("OK", None),
        ("", None),
    ],
)
def test_the_remote_queue_id_is_read_from_the_reply(text: str, id: str | None) -> None:
    assert remote_queue_id(text) == id


@given(st.text(max_size=300))
def test_any_reply_text_may_be_searched_for_a_queue_id(text: str) -> None:
    found = remote_queue_id(text)
    assert found is None or found in text
