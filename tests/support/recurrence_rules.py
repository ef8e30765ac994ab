"""Recurrence rules of every kind, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

days = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
positions = st.sampled_from([-2, -1, 1, 2, 3, 4, 5])


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Draw a rule that a calendar may hold: one that Outlook has, or one that it has not."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}"]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 4))}")
    kind = draw(st.sampled_from(["plain", "days", "dates", "positions", "month"]))
    some = draw(st.lists(days, min_size=1, max_size=4, unique=True))
    if kind == "days" and frequency != "DAILY":
        nth = frequency != "WEEKLY" and draw(st.booleans())
        parts.append("BYDAY=" + ",".join(f"{draw(positions) if nth else ''}{day}" for day in some))
        if frequency == "YEARLY":
            parts.append(f"BYMONTH={draw(st.integers(1, 12))}")
    elif kind == "dates" and frequency in ("MONTHLY", "YEARLY"):
        dates = draw(st.lists(st.integers(-3, 31).filter(bool), min_size=1, max_size=3, unique=True))
        parts.append("BYMONTHDAY=" + ",".join(map(str, dates)))
    elif kind == "positions" and frequency == "MONTHLY":
        parts.append(f"BYDAY={','.join(some)};BYSETPOS={draw(positions)}")
    elif kind == "month":
        months = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True))
        parts.append("BYMONTH=" + ",".join(map(str, months)))
    if frequency == "WEEKLY" and draw(st.booleans()):
        parts.append(f"WKST={draw(days)}")
    parts.append(f"COUNT={draw(st.integers(1, 30))}" if draw(st.booleans()) else "UNTIL=20240901T000000Z")
    return ";".join(parts)
