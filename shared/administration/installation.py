"""Opens the gateway that a configuration describes, for commands and for the web console."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared import configuration
from shared.configuration.settings import Settings
from shared.diagnosis.redis_faults import redis_away
from shared.errors import CausewayError, SpoolUnavailable
from shared.runtime.data_folder import DataFolder
from shared.spool.connect import open_spool
from shared.spool.operation import Spool


@dataclass(frozen=True, slots=True)
class Installation:
    """A gateway as an administrator sees it: its settings and its spool. What is done to it is done in the spool."""

    settings: Settings
    spool: Spool


@contextmanager
def open_installation(config: Path | None = None, data: Path | None = None) -> Iterator[Installation]:
    """Open the gateway of a configuration file inside the block. data: the folder of an embedded Redis.

    Raises ConfigurationError for a file that cannot be used, CausewayError where Redis does not answer.
    """
    settings = configuration.load(config)
    redis = settings.redis
    if redis.is_embedded:
        redis = redis.model_copy(update={"url": DataFolder(data).url})
    spool = open_spool(redis)
    try:
        yield Installation(settings, spool)
    except SpoolUnavailable as error:
        if settings.redis.is_embedded:
            remedy = "name its folder with --data or $CAUSEWAY_DATA, or start `causeway up`"
            raise CausewayError(f"redis.url: no embedded Redis runs in {DataFolder(data).path}: {remedy}") from None
        raise CausewayError(redis_away(settings.redis, error)) from None
    finally:
        spool.close()
