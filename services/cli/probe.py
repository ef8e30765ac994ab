"""What Redis and every smart host answer when they are asked, for `causeway check --probe`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.cli.extras import needs_extra
from services.cli.output import print_table, printable
from shared.configuration.settings import Settings
from shared.errors import SpoolError
from shared.spool.connect import PATIENCE, open_spool
from shared.spool.gauge import SpoolGauge, gauge_spool

if TYPE_CHECKING:
    from services.egress.app import Probed

SOON_DAYS = 14


@dataclass(frozen=True, slots=True)
class Answers:
    """redis: None where it does not answer, or is embedded. hosts: in the order of the file."""

    redis: SpoolGauge | None
    hosts: list[Probed]

    def faults(self) -> list[str]:
        """Return a line for each smart host that mail cannot go to."""
        return [printable(f"{one.system}: {one.host}: {one.fault}") for one in self.hosts if one.fault]

    def warnings(self, settings: Settings) -> list[str]:
        """Return a line for what works now, and will not for ever or for every message."""
        return [printable(line) for one in self.hosts for line in _doubts(one, settings, datetime.now(UTC))]


def ask(settings: Settings) -> Answers:
    """Connect to Redis and to every smart host. Raises ConfigurationError for unusable TLS files."""
    with needs_extra("egress"):
        from services.egress.app import probe
    return Answers(_redis(settings), probe(settings))


def _redis(settings: Settings) -> SpoolGauge | None:
    if settings.redis.url == "embedded":
        return None
    redis = settings.redis.model_copy(update={"timeout": PATIENCE})
    try:
        spool = open_spool(redis)
    except ValueError:
        return None  # told by the check
    try:
        return spool.run(gauge_spool(redis))
    except SpoolError:
        return None  # likewise
    finally:
        spool.close()


def _doubts(one: Probed, settings: Settings, now: datetime) -> Iterator[str]:
    where = f"{one.system}: {one.host}"
    if one.fault is None and one.encryption is None:
        yield f"{where}: mail goes there in the clear: set tls to required or verify"
    if one.certificate and one.certificate.days_left(now) < SOON_DAYS:
        yield f"{where}: its certificate expires on {one.certificate.expires_at:%Y-%m-%d}: tell its owners"
    most = settings.ingress.max_message_bytes
    if one.max_message_bytes is not None and one.max_message_bytes < most:
        yield f"{where}: takes {one.max_message_bytes} octets at most, ingress {most}: lower ingress.max_message_bytes"


def print_answers(answers: Answers) -> None:
    """Print who answered, and what it said of itself."""
    if answers.redis:
        one = answers.redis
        used = one.used_bytes / one.max_bytes
        print(f"Redis: durability {one.durability}, {one.replicas} replicas, {used:.0%} of its memory used")
    rows = [
        (
            one.system,
            one.host,
            one.encryption or ("-" if one.fault else "in the clear"),
            ", ".join(one.certificate.names) or one.certificate.subject if one.certificate else None,
            one.certificate.issuer if one.certificate else None,
            f"{one.certificate.expires_at:%Y-%m-%d}" if one.certificate else None,
            " ".join(f"{name} {parameters}".strip().upper() for name, parameters in one.extensions) or None,
        )
        for one in answers.hosts
    ]
    print_table(("SYSTEM", "HOST", "TLS", "CERTIFICATE FOR", "ISSUER", "EXPIRES", "OFFERS"), rows)
