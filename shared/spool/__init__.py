"""The spool: messages and deliveries in Redis, the RQ queues that point at them, leases, dead letters, upkeep."""
