"""What Redis and every smart host answer to `causeway check --probe`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.cli.output import print_table, printable
from shared.configuration.settings import Settings
from shared.diagnosis.probe_remedies import explained
from shared.errors import ConfigurationError, SpoolError
from shared.runtime.extras import needs_extra
from shared.spool.connect import PATIENCE, open_spool
from shared.spool.gauge import SpoolGauge, gauge_spool

if TYPE_CHECKING:
    from services.egress.app import Probed

SOON_DAYS = 14


@dataclass(frozen=True, slots=True)
class ProbeResults:
    """redis: None where it does not answer, or is embedded. hosts: in the order of the file."""

    redis: SpoolGauge | None
    hosts: list[Probed]

    def faults(self) -> list[str]:
        """Return a line for each smart host that mail cannot go to."""
        return [printable(f"{_where(host)}: {explained(host.fault)}") for host in self.hosts if host.fault]

    def warnings(self, settings: Settings) -> list[str]:
        """Return a line for what works now, but not for long or not for every message."""
        return [printable(line) for host in self.hosts for line in _warnings(host, settings, datetime.now(UTC))]


def probe_peers(settings: Settings) -> ProbeResults:
    """Connect to Redis and to every smart host. Raises ConfigurationError for unusable TLS files."""
    with needs_extra("egress"):
        from services.egress.app import probe
    return ProbeResults(_redis(settings), probe(settings))


def unresolved_names(settings: Settings) -> list[str]:
    """Return a line for each MX name that leads to no host; none where egress is not installed here."""
    try:
        with needs_extra("egress"):
            from services.egress.app import unresolved
    except ConfigurationError:
        return []
    return unresolved(settings)


def _redis(settings: Settings) -> SpoolGauge | None:
    if settings.redis.is_embedded:
        return None
    redis = settings.redis.model_copy(update={"timeout": PATIENCE})
    spool = open_spool(redis)
    try:
        return spool.run(gauge_spool(redis))
    except SpoolError:
        return None  # reported by the check
    finally:
        spool.close()


def _warnings(probed: Probed, settings: Settings, now: datetime) -> Iterator[str]:
    where = _where(probed)
    if probed.fault is None and probed.encryption is None:
        yield f"{where}: mail is sent in the clear: set tls to required or verify"
    if probed.certificate and probed.certificate.days_left(now) < SOON_DAYS:
        yield f"{where}: its certificate expires on {probed.certificate.expires_at:%Y-%m-%d}: have it renewed"
    most = settings.ingress.max_message_bytes
    if probed.max_message_bytes is not None and probed.max_message_bytes < most:
        size = f"at most {probed.max_message_bytes} bytes, ingress {most}"
        yield f"{where}: accepts {size}: lower ingress.max_message_bytes"


def _where(probed: Probed) -> str:
    return f"{probed.key} ({probed.system}, {probed.host})"


def print_results(results: ProbeResults) -> None:
    """Print what each peer supports."""
    if results.redis:
        redis = results.redis
        used = redis.used_bytes / redis.max_bytes
        print(f"Redis: durability {redis.durability}, {redis.replicas} replicas, {used:.0%} of its memory used")
    rows = [
        (
            probed.system,
            probed.host,
            probed.encryption or ("-" if probed.fault else "in the clear"),
            probed.protection,
            ", ".join(probed.certificate.names) or probed.certificate.subject if probed.certificate else None,
            probed.certificate.issuer if probed.certificate else None,
            f"{probed.certificate.expires_at:%Y-%m-%d}" if probed.certificate else None,
            " ".join(f"{name} {parameters}".strip().upper() for name, parameters in probed.extensions) or None,
        )
        for probed in results.hosts
    ]
    print_table(("SYSTEM", "HOST", "TLS", "VERIFIED BY", "CERTIFICATE FOR", "ISSUER", "EXPIRES", "OFFERS"), rows)
