"""`transform`: how messages are converted."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from shared.configuration.section import Section
from shared.configuration.values import PositiveDuration, at_most_ten_years


class WebLinks(Section):
    """How a browser reaches what a Domino server holds.

    host: of the URL, perhaps with a port; `{server}` in it is the server's name in lower case. document, view,
    database: the URL of a link that goes so far; {host}, {server}, {replica} (16 hex digits), {view} and {note} (32)
    are filled in.
    """

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]{}-]+$")]
    document: str = "https://{host}/__{replica}.nsf/{view}/{note}?OpenDocument"
    view: str = "https://{host}/__{replica}.nsf/{view}?OpenView"
    database: str = "https://{host}/__{replica}.nsf?OpenDatabase"

    @model_validator(mode="after")
    def _check_templates(self) -> WebLinks:
        try:
            self.host.format(server="")
            urls = [
                template.format(host="h", server="s", replica="r", view="v", note="n")
                for template in (self.document, self.view, self.database)
            ]
        except (KeyError, IndexError, ValueError, AttributeError):
            raise ValueError("a template holds only {host}, {server}, {replica}, {view} and {note} in braces") from None
        if not all(url.startswith(("https://", "http://")) for url in urls):
            raise ValueError("the URL of a web link starts with https:// or http://")
        return self


class RecurrenceNotice(Section):
    """What the organizer of a meeting is told whose recurrence the other side cannot hold.

    also: addresses that get the notice too. The meeting's name and dates follow the text.
    """

    subject: str = "Recurring meeting not carried over as a series"
    text: str = (
        "The calendars of the other mail system cannot hold the way this meeting repeats. The people invited there\n"
        "may see only its first date. Please invite them to each of these dates:"
    )
    also: list[str] = []


class TransformSettings(Section):
    """How messages are converted. message_timeout bounds one message; max_crashes, after which it is a dead letter.

    links: what a Notes document link becomes outside Notes; each chosen form that cannot be made becomes `attachment`.
    link_server: where a link names no server. web_links: by the server's common name, in any case; "*" for all others.
    friendly_names: whether mail from outside shows display names in recipient fields to Notes, or bare addresses.
    max_recipient_header_bytes: a recipient field above it is shortened for Notes, visibly; the envelope never is.
    outlook_html: what becomes of the HTML that Outlook writes, on its way to Notes.
    unsupported_recurrence: what becomes of a Notes series that no rule of Outlook says: single meetings, a notice to
    its organizer, or nothing; the last two leave it as it is.
    max_extra_messages: how many single meetings and notices are sent beside one message; a series that takes more is
    left as it is, as one that is unsupported.
    series_memory: how long after the last date of a meeting is known what each side was told of it.
    endless_series: how far from now a series without an end goes on in Notes, which takes none without.
    forward_notice: what people outside Notes are told when they forward a Notes meeting to Notes, null for nothing;
    {summary} and {organizer} are of the meeting.
    """

    links: list[Literal["notes_url", "web_url", "attachment"]] = ["notes_url"]
    link_server: str | None = None
    web_links: dict[str, WebLinks] = {}
    friendly_names: Literal["keep", "remove"] = "keep"
    max_recipient_header_bytes: Annotated[int, Field(ge=512)] = 15 * 1024
    outlook_html: Literal["reduce", "keep"] = "reduce"
    unsupported_recurrence: Literal["explode", "notice", "pass"] = "explode"
    unsupported_recurrence_notice: RecurrenceNotice = RecurrenceNotice()
    max_extra_messages: Annotated[int, Field(ge=0)] = 500
    series_memory: PositiveDuration = timedelta(days=180)
    endless_series: Annotated[PositiveDuration, AfterValidator(at_most_ten_years)] = timedelta(days=730)
    forward_notice: str | None = (
        'You forwarded the meeting "{summary}" to people who use Notes. Notes takes an invitation only from its\n'
        "organizer, so the meeting may not appear in their calendars.\n\n"
        "Please ask {organizer} to invite them."
    )
    message_timeout: PositiveDuration = timedelta(seconds=60)
    lease: PositiveDuration = timedelta(seconds=30)
    batch: Annotated[int, Field(ge=1, le=1000)] = 32
    batch_bytes: Annotated[int, Field(ge=1024)] = 67_108_864
    max_crashes: Annotated[int, Field(ge=1)] = 3

    @model_validator(mode="after")
    def _check_links(self) -> TransformSettings:
        if "web_url" in self.links and not self.web_links:
            raise ValueError("`links` has web_url, so `web_links` must name a host")
        return self
