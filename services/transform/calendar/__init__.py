"""Calendar entries between iCalendar of Notes, iCalendar of Exchange, and time zones."""
