"""A series of Notes through its life, carried by the transform stage with what the spool remembers between messages."""

from __future__ import annotations

import email
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from services.transform.settlement import settlement_of
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.mail.edits import apply
from shared.routing.router import Router
from shared.spool.accept import accept
from shared.spool.connect import open_spool
from shared.spool.lease import contents, lease_deliveries, lease_messages
from shared.spool.memory import recall
from shared.spool.operation import Spool
from shared.spool.write_settlements import write_settlements
from tests.support.mail import message
from tests.support.notes_calendar import NotesMeeting
from tests.support.outlook_calendar import OutlookCalendar
from tests.support.systems import EXCHANGE, NOTES

DAYS = [datetime(2030, 1, number, 9) for number in range(7, 12)]


@pytest.fixture
def spool(redis_settings: RedisSettings) -> Iterator[Spool]:
    opened = open_spool(redis_settings)
    yield opened
    opened.close()


def carry(spool: Spool, sent: bytes, outlook: OutlookCalendar) -> None:
    """Accept a message, convert it and all that it brings, and let Outlook receive what is to be delivered."""
    spool.run(accept(message("jane@exchange.example.com", sender="john@notes.example.com", content=sent)))
    router, settings = Router([NOTES, EXCHANGE]), Settings(systems=[NOTES, EXCHANGE])
    while leased := spool.run(lease_messages("test", max_jobs=100, max_bytes=10**9, seconds=30)):
        for job in leased:
            (content,) = spool.run(contents([job.lease.id]))
            settlement = settlement_of(
                job, content, router, settings, now=time.time(), recall=lambda key: spool.run(recall(key))
            )
            assert spool.run(write_settlements([settlement]))
    for delivery in spool.run(lease_deliveries("exchange", "test", max_jobs=100, max_bytes=10**9, seconds=30)):
        (content,) = spool.run(contents([delivery.delivery.message_id]))
        assert content is not None
        outlook.receive(email.message_from_bytes(apply(content, delivery.edits)))


def test_a_series_created_rescheduled_updated_and_moved_is_one_meeting_on_both_sides(spool: Spool) -> None:
    meeting, outlook = NotesMeeting.at(DAYS, "FREQ=DAILY;COUNT=5"), OutlookCalendar()
    for change in (
        meeting.invite,
        lambda: meeting.reschedule(timedelta(hours=1)),
        meeting.update,
        lambda: meeting.move(DAYS[1], datetime(2030, 1, 8, 15)),
        lambda: meeting.cancel(DAYS[3]),
    ):
        carry(spool, change(), outlook)
        assert outlook.spans() == meeting.spans()
    assert list(outlook.meetings) == [meeting.uid]
    assert outlook.cancellations == 0


def test_a_series_that_outlook_cannot_hold_is_followed_as_single_meetings(spool: Spool) -> None:
    starts = [datetime(2030, month, number, 9) for month in (1, 2, 3) for number in (4, 9)]
    meeting, outlook = NotesMeeting.at(starts, "FREQ=MONTHLY;BYMONTHDAY=4,9;COUNT=6"), OutlookCalendar()
    for change in (meeting.invite, lambda: meeting.reschedule(timedelta(hours=2)), lambda: meeting.cancel(starts[0])):
        carry(spool, change(), outlook)
        assert outlook.spans() == meeting.spans()
    assert len(outlook.meetings) == 5
