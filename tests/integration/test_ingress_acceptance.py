"""When a message is acknowledged: only by a spool that is known to be strong enough as it is written."""

from __future__ import annotations

import asyncio
import time

import redis

from services.ingress import replies
from services.ingress.accept import Acceptance
from services.ingress.admission import Load
from services.ingress.group_commit import GROUP_BYTES, GROUPS_AT_ONCE
from shared.configuration.ingress import IngressSettings
from shared.configuration.redis import RedisSettings
from shared.mail.reply import Reply
from shared.spool.connect import open_async_spool
from tests.support.mail import message

TURNS = 100
"""Of the event loop: many times as many as it takes to hand a group to Redis' connection."""


def test_what_waits_for_its_group_while_the_spool_becomes_too_weak_is_refused(
    redis_settings: RedisSettings, redis_client: redis.Redis
) -> None:
    server = str(redis_client.info("server")["run_id"])
    load = Load(time.monotonic(), "", server=server)
    content = b"Subject: large\r\n\r\n" + b"x" * GROUP_BYTES  # each goes alone

    async def main() -> list[Reply | replies.Refusal]:
        nonlocal load
        spool = open_async_spool(redis_settings)
        acceptance = Acceptance(spool, lambda: load, "gateway.example.com", IngressSettings(), redis_settings)
        try:
            await acceptance.accept(message().envelope, lambda: b"Subject: first\r\n\r\n", extended=True)
            redis_client.client_pause(20_000, all=False)
            accepting = [
                asyncio.create_task(acceptance.accept(message().envelope, lambda: content, extended=True))
                for _ in range(GROUPS_AT_ONCE + 1)
            ]
            for _ in range(TURNS):
                await asyncio.sleep(0)
            load = Load(time.monotonic(), "appendfsync is no", server=server)
            redis_client.client_unpause()
            return list(await asyncio.gather(*accepting))
        finally:
            redis_client.client_unpause()
            await spool.aclose()

    *written, last = asyncio.run(main())
    assert [reply.code for reply in written if isinstance(reply, Reply)] == [250] * GROUPS_AT_ONCE
    assert last is replies.SPOOL_UNAVAILABLE
