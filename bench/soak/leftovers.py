"""What is left in Redis once all mail has come to its end, and why each key may be there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import redis

from shared.spool import keys

OF_DEAD = "of a dead letter"
EXPIRES = "goes by itself"
STAYS = "one for each queue or system, whatever the traffic"
_KINDS = (
    (keys.history(""), "what became of a message, for redis.history", EXPIRES),
    (keys.memory(""), "meeting state sent to a side, for transform.series_memory", EXPIRES),
    (keys.rq_worker(""), "a worker that was alive of late", EXPIRES),
    (keys.message(""), "the record of a message", OF_DEAD),
    (keys.content(""), "the content of a message", OF_DEAD),
    (keys.delivery(""), "the record of a delivery", OF_DEAD),
    (keys.rq_job(""), "RQ's job", OF_DEAD),
    (keys.rq_results(""), "RQ's result", OF_DEAD),
    (keys.DEAD, "the list of dead letters", OF_DEAD),
    (keys.rq_failed(""), "RQ's list of dead letters", OF_DEAD),
    (keys.host_health(""), "how the smart hosts do", STAYS),
    (keys.tick(""), "when leases were last looked at", STAYS),
    (keys.wake(""), "the bell of idle workers", STAYS),
    (keys.RQ_QUEUES, "RQ's list of queues", STAYS),
    (keys.rq_queue_workers(""), "RQ's list of a queue's workers", STAYS),
    (keys.RQ_WORKERS, "RQ's list of workers", STAYS),
)
STAYING_MOST = 10


@dataclass
class Leftovers:
    """counts: keys of each pattern. reasons: why each pattern may be there. wrong: keys that ought not to be."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def look(client: redis.Redis) -> Leftovers:
    """Look at every key."""
    raw: Any = client
    dead = {id.decode() for id in raw.zrange(keys.DEAD, 0, -1)}
    dead |= {id.decode() for delivery_id in dead if (id := raw.hget(keys.delivery(delivery_id), "message"))}
    found = Leftovers()
    for octets in raw.scan_iter(count=1000):
        key = octets.decode()
        prefix, reason, stays = next((kind for kind in _KINDS if key.startswith(kind[0])), (key, "", ""))
        found.counts[prefix] += 1
        found.reasons[prefix] = f"{reason}: {stays}"
        name = key.removeprefix(prefix)
        is_of_dead = name in dead or (bool(dead) and prefix in (keys.DEAD, keys.rq_failed("")))
        may_be_of_dead = stays == OF_DEAD or prefix == keys.history("")
        has_end = raw.ttl(key) != -1  # a content too, whose client lost its connection before the record was written
        if not (has_end or stays == STAYS or (may_be_of_dead and is_of_dead)):
            found.wrong.append(f"{key} was left over")
    for prefix, _, stays in _KINDS:
        if stays == STAYS and found.counts[prefix] > STAYING_MOST:
            found.wrong.append(f"{found.counts[prefix]} keys {prefix}* were left over")
    return found
