"""Every metric of Causeway. The names are a contract; addresses are never labels."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

messages_accepted = Counter("causeway_messages_accepted", "Messages answered with 250.", ["system"])
messages_refused = Counter("causeway_messages_refused", "Commands or messages refused, by cause.", ["reason"])
recipients = Counter("causeway_recipients", "Recipients by final or temporary outcome.", ["system", "outcome"])
conversions = Counter("causeway_conversions", "Conversion steps by outcome.", ["step", "outcome"])
stage_seconds = Histogram("causeway_stage_seconds", "Processing time of one message in a stage.", ["stage"])
delivery_seconds = Histogram(
    "causeway_delivery_seconds",
    "Time from acceptance of a message to completion of its delivery.",
    ["system"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 28800, 86400, 432000),
)
queue_depth = Gauge("causeway_queue_depth", "Jobs ready for processing.", ["stage"], multiprocess_mode="mostrecent")
queue_age_seconds = Gauge(
    "causeway_queue_age_seconds", "Age of the oldest ready job.", ["stage"], multiprocess_mode="mostrecent"
)
queue_scheduled = Gauge(
    "causeway_queue_scheduled", "Jobs scheduled for a retry.", ["stage"], multiprocess_mode="mostrecent"
)
queue_scheduled_age_seconds = Gauge(
    "causeway_queue_scheduled_age_seconds",
    "Age of the oldest message that is scheduled for a retry.",
    ["stage"],
    multiprocess_mode="mostrecent",
)
leases = Gauge("causeway_leases", "Jobs leased by workers.", ["stage"], multiprocess_mode="mostrecent")
dead_letters = Gauge(
    "causeway_dead_letters", "Dead letters that need an administrator.", ["stage"], multiprocess_mode="mostrecent"
)
smart_host_usable = Gauge(
    "causeway_smart_host_usable",
    "1 while the smart host is not marked down.",
    ["system", "host"],
    multiprocess_mode="mostrecent",
)
connections = Gauge(
    "causeway_connections", "Open connections to a smart host.", ["system", "host"], multiprocess_mode="livesum"
)
connections_in_clear = Counter(
    "causeway_connections_in_clear",
    "Connections that `tls: opportunistic` left in the clear.",
    ["system", "host"],
)
deliveries_throttled = Gauge(
    "causeway_deliveries_throttled",
    "Leased deliveries that wait because all their next hops are at their rate limit.",
    ["system"],
    multiprocess_mode="livesum",
)
spool_bytes = Gauge("causeway_spool_bytes", "Memory used by Redis.", multiprocess_mode="mostrecent")
spool_max_bytes = Gauge(
    "causeway_spool_max_bytes",
    "Memory available to Redis: its maxmemory, or the machine's memory.",
    multiprocess_mode="mostrecent",
)
spool_ready = Gauge(
    "causeway_spool_ready",
    "1 while Redis answers and is as durable as declared; readiness fails otherwise.",
    multiprocess_mode="mostrecent",
)
durability = Gauge(
    "causeway_durability", "1 for the current durability of Redis.", ["level"], multiprocess_mode="mostrecent"
)
certificate_expiry = Gauge(
    "causeway_certificate_expiry_timestamp_seconds",
    "When a configured certificate expires.",
    ["use"],
    multiprocess_mode="mostrecent",
)
internal_address_leaks = Counter(
    "causeway_internal_address_leaks", "Internal addresses left in messages after rewriting."
)
