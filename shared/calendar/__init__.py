"""iCalendar values, zones, moments and recurrences: what transform and free/busy both need. Pure."""
