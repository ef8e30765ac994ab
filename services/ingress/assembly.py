"""Assembles what sessions share from the settings, again each time that these are read again."""

from __future__ import annotations

from collections.abc import Callable

from services.ingress.accept import Acceptance
from services.ingress.admission import Load, client_share
from services.ingress.limits import ByteBudget, SessionLimit
from services.ingress.server_session import Ingress
from services.ingress.sources import Sources
from shared.configuration.ingress import IngressTls
from shared.configuration.settings import Settings
from shared.operations.tls import Tls
from shared.routing.router import CurrentRouter
from shared.spool.operation import AsyncSpool


class Assembly:
    """What outlives the settings: the spool, its load (`load` returns the latest), the counts of sessions and bytes.

    Raises ConfigurationError for what cannot be used.
    """

    def __init__(self, settings: Settings, spool: AsyncSpool, load: Callable[[], Load]) -> None:
        ingress = settings.ingress
        self._settings = settings
        self._spool = spool
        self._load = load
        self._router = CurrentRouter.configured(settings)
        self._tls = _tls(settings)
        self._sessions = SessionLimit(ingress.max_sessions, ingress.max_sessions_per_client)
        self._byte_budget = ByteBudget(ingress.max_bytes_in_flight, client_share(ingress))

    def ingress(self) -> Ingress:
        """Return what new sessions share."""
        settings, ingress = self._settings, self._settings.ingress
        hostname = ingress.hostname or settings.hostname
        return Ingress(
            settings=ingress,
            hostname=hostname,
            sources=Sources(settings.systems),
            router=self._router,
            tls=self._tls,
            acceptance=Acceptance(self._spool, self._load, hostname, ingress, settings.redis),
            sessions=self._sessions,
            byte_budget=self._byte_budget,
        )

    def reassemble(self, settings: Settings) -> Ingress:
        """Return what new sessions share by other settings, with the map and the certificate as the files are now.

        The map is taken however many pairs it lacks. Raises ConfigurationError, and then nothing has changed.
        """
        tls = self._tls if _tls_settings(settings) == _tls_settings(self._settings) else _tls(settings)
        if _routing(settings) == _routing(self._settings):
            self._router.reload()
        else:
            self._router = CurrentRouter.configured(settings)
        self._settings, self._tls = settings, tls
        if tls:
            tls.context()
        return self.ingress()


def _routing(settings: Settings) -> tuple[object, ...]:
    """Return what decides how addresses are routed."""
    return settings.systems, settings.addresses, settings.hostname, settings.ingress.hostname, settings.postmaster


def _tls(settings: Settings) -> Tls | None:
    tls = _tls_settings(settings)
    return Tls.server(tls) if tls else None


def _tls_settings(settings: Settings) -> IngressTls | None:
    """Return the settings of TLS where STARTTLS is offered or a port has TLS, so that a certificate is needed."""
    tls = settings.ingress.tls
    if settings.ingress.listen_tls or tls.mode == "required":
        return tls
    return tls if tls.mode == "opportunistic" and tls.certificate is not None else None
