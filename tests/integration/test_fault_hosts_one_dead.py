"""One smart host of five is dead: after the first message that met it, none waits for it until it was probed."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from itertools import count
from pathlib import Path

import redis

from shared.configuration.redis import RedisSettings
from shared.configuration.smart_hosts import SmartHost
from shared.spool import keys
from shared.spool.operation import Spool
from tests.support.egress import SYSTEM, settings_for
from tests.support.health import is_marked, let_marks_run_out
from tests.support.processes import eventually
from tests.support.replicas import copies, give, is_drained, replicas
from tests.support.smart_host import HANG, SmartHostServer

MESSAGES = 150
MARKED = timedelta(hours=1)


def test_no_message_waits_for_a_dead_host_after_the_first(
    redis_client: redis.Redis, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    """It takes connections and says nothing: an attempt would wait for the timeout."""
    spool, health = Spool(redis_client), keys.host_health(SYSTEM)
    with ExitStack() as stack:
        dead = stack.enter_context(SmartHostServer(answers={"CONNECT": HANG}))
        well = [stack.enter_context(SmartHostServer()) for _ in range(4)]
        hosts = [SmartHost(host="127.0.0.1", port=one.port, tls="none") for one in (dead, *well)]
        settings = settings_for(redis_settings, hosts, host_down=MARKED, host_down_longest=MARKED)
        stack.enter_context(replicas(tmp_path, settings, 2))
        for number in count():  # a weighted choice: sooner or later one meets it
            give(spool, SYSTEM, [f"first-{number:04d}"])
            eventually(lambda: is_drained(spool, SYSTEM), 90)
            if redis_client.exists(health):
                break
        assert dead.connections == 1
        logs = [tmp_path / f"egress-{number}.log" for number in range(2)]
        eventually(
            lambda: all('"host.marked_down"' in log.read_text() for log in logs)
        )  # each replica hears of it in a second

        give(spool, SYSTEM, [f"load-{number:04d}" for number in range(MESSAGES)])
        eventually(lambda: is_drained(spool, SYSTEM), 90)
        arrived = copies(well)
        assert len(arrived) == MESSAGES + number + 1
        assert set(arrived.values()) == {1}
        assert dead.connections == 1

        dead.answers.clear()
        let_marks_run_out(redis_client, SYSTEM)
        eventually(lambda: not is_marked(redis_client, SYSTEM, dead.port))
        assert (dead.connections, dead.messages) == (2, [])  # one replica probed it, with no message
        for turn in count():
            give(spool, SYSTEM, [f"back-{turn:04d}"])
            eventually(lambda: is_drained(spool, SYSTEM), 90)
            if dead.messages:
                break
