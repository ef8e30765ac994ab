"""The only smart host of a system goes down and comes back, again and again, while mail is under way to it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import redis

from shared.configuration.egress import RetrySettings
from shared.configuration.redis import RedisSettings
from shared.configuration.smart_hosts import SmartHost
from shared.spool.operation import Spool
from tests.support.egress import SYSTEM, settings_for
from tests.support.health import is_marked, let_marks_run_out
from tests.support.processes import eventually
from tests.support.replicas import copies, give, is_drained, replicas
from tests.support.smart_host import DROP, SmartHostServer

WAVES = 6
MESSAGES = 25  # a wave
LONG = timedelta(hours=4)


def test_mail_to_a_host_that_comes_and_goes_arrives_once(
    redis_client: redis.Redis, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    """Each time it fails during a burst of mail, on open connections too, and comes back when a replica has noticed."""
    spool = Spool(redis_client)
    with ExitStack() as stack:
        host = stack.enter_context(SmartHostServer())
        settings = settings_for(
            redis_settings,
            [SmartHost(host="127.0.0.1", port=host.port, tls="none")],
            connections_per_host=4,
            host_down=LONG,
            host_down_longest=LONG,
            retry=RetrySettings(first=timedelta(seconds=3), factor=1, jitter=0.1),
        )
        stack.enter_context(replicas(tmp_path, settings, 2))
        for wave in range(WAVES):
            before = len(host.messages)
            give(spool, SYSTEM, [f"wave{wave}-{number:04d}" for number in range(MESSAGES)])
            eventually(lambda before=before: len(host.messages) >= before + 5, 90)  # type: ignore[misc]
            host.answers |= {"CONNECT": DROP, "MAIL": DROP, "DATA": DROP}
            give(spool, SYSTEM, [f"gone{wave}-{number:04d}" for number in range(5)])
            eventually(lambda: is_marked(redis_client, SYSTEM, host.port), 90)
            host.answers.clear()
            let_marks_run_out(redis_client, SYSTEM)

        def is_over() -> bool:
            if is_marked(redis_client, SYSTEM, host.port):  # by an attempt that began before it was back
                let_marks_run_out(redis_client, SYSTEM)
            return is_drained(spool, SYSTEM)

        eventually(is_over, 90)
        arrived = copies([host])
        assert len(arrived) == WAVES * (MESSAGES + 5)
        assert set(arrived.values()) == {1}
