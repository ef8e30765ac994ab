"""The configuration file `causeway.yaml` as a whole: one section a file beside this one.

Any key can come from the environment (`CAUSEWAY_INGRESS__HOSTNAME=…`), which wins over the file. `load` reads both. One
file is valid or invalid as a whole, so every service reads all of it and uses its own section.
"""

from __future__ import annotations

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.configuration.addresses import AddressSettings
from shared.configuration.egress import EgressSettings
from shared.configuration.http import HttpSettings
from shared.configuration.ingress import IngressSettings
from shared.configuration.redis import RedisSettings
from shared.configuration.systems import System
from shared.configuration.transform import TransformSettings
from shared.configuration.values import Hostname, MailAddress


class Settings(BaseSettings):
    """The whole of `causeway.yaml`. postmaster: recipient of mail to the gateway itself; see `shared.routing.route`."""

    model_config = SettingsConfigDict(
        env_prefix="CAUSEWAY_", env_nested_delimiter="__", env_parse_none_str="null", extra="forbid", frozen=True
    )

    hostname: Hostname = "localhost"
    postmaster: MailAddress | None = None
    redis: RedisSettings = RedisSettings()
    ingress: IngressSettings = IngressSettings()
    systems: list[System] = []
    addresses: AddressSettings = AddressSettings()
    transform: TransformSettings = TransformSettings()
    egress: EgressSettings = EgressSettings()
    http: HttpSettings = HttpSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the interface of pydantic-settings)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the constructor's arguments, which are the content of the file."""
        return env_settings, init_settings

    def system(self, name: str) -> System:
        """Return the system of that name. Raises KeyError."""
        for system in self.systems:
            if system.name == name:
                return system
        raise KeyError(name)
