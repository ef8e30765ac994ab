"""Five hundred lives of meetings: whatever the order in which their messages arrive, both sides end with one calendar.

`make lives LIVES=50000 SEED=1000` plays more.
"""

from __future__ import annotations

import pytest

from tests.lives.play import draw, play

_EACH = 25


@pytest.mark.parametrize("first", range(0, 500, _EACH))
def test_every_calendar_ends_as_its_organizers(first: int) -> None:
    assert not [str(mismatch) for seed in range(first, first + _EACH) for mismatch in play(draw(seed))]
