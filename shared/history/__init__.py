"""The vocabulary of events: one frozen dataclass per event, for the log, a message's history in Redis, and tracking.

`event` has the base classes, `vocabulary` all events by name; the other modules have the events, grouped by noun.
Values only: `shared.operations.log` writes them to the log, `shared.spool` to the history. docs/events.md lists all.
"""
