"""`transform`: how messages are converted."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from shared.configuration.section import Section
from shared.configuration.values import PositiveDuration, at_most_ten_years


class WebLinks(Section):
    """The URLs of a Domino server's documents, views and databases.

    host: of the URL, with a port if needed; `{server}` in it is the server's name in lower case. document, view,
    database: the URL of a link to such an object; {host}, {server}, {replica} (16 hex digits), {view} and {note} (32)
    are replaced.
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
            raise ValueError(
                "a template may have only {host}, {server}, {replica}, {view} and {note} in braces"
            ) from None
        if not all(url.startswith(("https://", "http://")) for url in urls):
            raise ValueError("the URL of a web link must start with https:// or http://")
        return self


class RecurrenceNotice(Section):
    """The notice to the organizer of a meeting whose recurrence the other system cannot represent.

    also: addresses that get the notice as well. The meeting's name and dates follow the text.
    """

    subject: str = "Recurring meeting not carried over as a series"
    text: str = (
        "The calendars of the other mail system cannot represent how this meeting repeats. The people invited there\n"
        "may see only its first date. Please invite them to each of these dates:"
    )
    also: list[str] = []


class TransformSettings(Section):
    """How messages are converted. message_timeout bounds one message; max_crashes, after which it is a dead letter.

    links: the forms of a Notes document link outside Notes; a form that cannot be made becomes `attachment`.
    link_server: for links that name no server. web_links: by the server's common name, in any case; "*" for all others.
    friendly_names: whether mail from outside shows display names in recipient fields to Notes, or bare addresses.
    max_recipient_header_bytes: a recipient field above it is shortened for Notes, visibly; the envelope never is.
    outlook_html: whether the HTML of Outlook is reduced to what Notes renders.
    unsupported_recurrence: for a Notes series that no rule of Outlook can express: single meetings, a notice to its
    organizer, or nothing; the last two leave it as it is.
    max_extra_messages: how many single meetings and notices are sent beside one message; a series that needs more is
    left as it is, like an unsupported series.
    series_memory: how long after the last date of a meeting its sent state is stored.
    endless_series: how far from now a series without an end is continued in Notes, which requires an end.
    forward_notice: the text sent to people outside Notes who forward a Notes meeting to Notes, null for none;
    {summary} and {organizer} are those of the meeting.
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
        'You forwarded the meeting "{summary}" to people who use Notes. Notes accepts an invitation only from its\n'
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
            raise ValueError("`links` has web_url: add a host to `web_links`")
        return self
