"""The name of every key that Causeway uses in Redis: its own, and those of RQ's data model (RQ 3.0)."""

from __future__ import annotations

PREFIX = "causeway:"

DEAD = PREFIX + "dead"
"""Sorted set of dead letters: member is the id of a message (transform) or a delivery (egress), score when parked."""

TRANSFORM = "transform"
"""The RQ queue of the transform stage. One job per message, its id the message's id."""


def egress(system: str) -> str:
    """Return the RQ queue of deliveries to one system. One job per delivery, its id the delivery's id."""
    return f"egress.{system}"


def message(message_id: str) -> str:
    """Return the key of the hash that is a message's record."""
    return f"{PREFIX}message:{message_id}"


def content(message_id: str) -> str:
    """Return the key of the string that holds a message's original bytes."""
    return f"{PREFIX}content:{message_id}"


def delivery(delivery_id: str) -> str:
    """Return the key of the hash that is a delivery's record."""
    return f"{PREFIX}delivery:{delivery_id}"


def history(message_id: str) -> str:
    """Return the key of the list of a message's events, oldest first, each a JSON object."""
    return f"{PREFIX}history:{message_id}"


def live(queue: str) -> str:
    """Return the key of the set of ids whose record waits for this queue's stage, whether or not their job exists."""
    return f"{PREFIX}live:{queue}"


def wake(queue: str) -> str:
    """Return the key of the list that idle workers of a queue block on; it holds at most one element."""
    return f"{PREFIX}wake:{queue}"


def tick(queue: str) -> str:
    """Return the key of the hash with the times of the queue's last check for expired leases and of the last pause."""
    return f"{PREFIX}tick:{queue}"


def memory(key: str) -> str:
    """Return the key of the hash that holds a conversion memory, see `memory.recall`."""
    return f"{PREFIX}memory:{key}"


def host_health(system: str) -> str:
    """Return the key of the hash "host:port" -> JSON health of the smart hosts of one system."""
    return f"{PREFIX}hosts:{system}"


def host_slots(host: str) -> str:
    """Return the key of the sorted set of slots of "host:port": member "replica/number", score when its lease ends."""
    return f"{PREFIX}slots:{host}"


def host_wanted(host: str) -> str:
    """Return the key of the sorted set of replicas that wait for a slot of "host:port": score when that expires."""
    return f"{PREFIX}wanted:{host}"


def host_turn(host: str) -> str:
    """Return the key of the time when the next message to "host:port" is due if messages are evenly spread."""
    return f"{PREFIX}turn:{host}"


def returned(queue: str) -> str:
    """Return the key of the time when a smart host of the queue's system last recovered; it expires after an hour."""
    return f"{PREFIX}returned:{queue}"


RQ_QUEUES = "rq:queues"
RQ_SUSPENDED = "rq:suspended"
RQ_WORKERS = "rq:workers"


def rq_queue(queue: str) -> str:
    """Return the key of RQ's list of job ids, next first."""
    return f"rq:queue:{queue}"


def rq_job(job_id: str) -> str:
    """Return the key of RQ's hash of one job."""
    return f"rq:job:{job_id}"


def rq_started(queue: str) -> str:
    """Return the key of RQ's started registry: member "job:execution", score when the lease expires."""
    return f"rq:wip:{queue}"


def rq_scheduled(queue: str) -> str:
    """Return the key of RQ's scheduled registry: member job id, score when it is due."""
    return f"rq:scheduled:{queue}"


def rq_failed(queue: str) -> str:
    """Return the key of RQ's failed registry: the dead letters of one queue."""
    return f"rq:failed:{queue}"


def rq_results(job_id: str) -> str:
    """Return the key of RQ's stream of the results of one job."""
    return f"rq:results:{job_id}"


def rq_worker(name: str) -> str:
    """Return the key of RQ's hash of one worker."""
    return f"rq:worker:{name}"


def rq_queue_workers(queue: str) -> str:
    """Return the key of RQ's set of the workers of one queue."""
    return f"rq:workers:{queue}"


def rq_intermediate(queue: str) -> str:
    """Return the key of RQ's list of ids that a stock worker took and has not started yet."""
    return f"rq:queue:{queue}:intermediate"


LUA = {
    "DEAD": DEAD,
    "TRANSFORM": TRANSFORM,
    "MESSAGE": message(""),
    "CONTENT": content(""),
    "DELIVERY": delivery(""),
    "HISTORY": history(""),
    "MEMORY": memory(""),
    "LIVE": live(""),
    "WAKE": wake(""),
    "TICK": tick(""),
    "SLOTS": host_slots(""),
    "WANTED": host_wanted(""),
    "TURN": host_turn(""),
    "RETURNED": returned(""),
    "RQ_QUEUES": RQ_QUEUES,
    "RQ_SUSPENDED": RQ_SUSPENDED,
    "RQ_WORKER": rq_worker(""),
    "RQ_QUEUE": rq_queue(""),
    "RQ_JOB": rq_job(""),
    "RQ_RESULTS": rq_results(""),
    "RQ_STARTED": rq_started(""),
    "RQ_SCHEDULED": rq_scheduled(""),
    "RQ_FAILED": rq_failed(""),
    "TRANSFORM_JOB": '["services.transform.job.convert", null, [], {}]',
    "EGRESS_JOB": '["services.egress.job.deliver", null, [], {}]',
}
"""The names that the scripts use, as Lua constants; the last two are RQ's job data (function, self, args, kwargs)."""
