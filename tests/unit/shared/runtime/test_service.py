"""What every service does before it begins."""

from __future__ import annotations

import resource

from shared.runtime.start import allow_many_files


def test_a_service_may_open_as_many_files_as_the_system_lets_it() -> None:
    """Idle sessions must not take the last descriptor from the connections to Redis."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        allow_many_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
