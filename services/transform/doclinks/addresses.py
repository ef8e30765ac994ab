"""The addresses of what a document link leads to: for a Notes client, and for a browser.

- Notes: `notes://SERVER/REPLICA/VIEW/NOTE`, always with the server: some Outlooks turn `notes:///` into `notes://`, and
  the replica id becomes the host. A document that no view is named for is opened through view 0.
- Web: by the templates of the settings, by default `https://HOST/__REPLICA.nsf/VIEW/NOTE?OpenDocument`.

Ids are hexadecimal by the time they come here; all else that the sender wrote is escaped (RFC 3986 section 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from services.transform.doclinks.ndl import DocLink
from shared.configuration.transform import WebLinks

_NO_VIEW = "0"
_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def target(link: DocLink) -> str:
    """Return what follows the server in a Notes URL: replica, view and note as far as the link goes."""
    view = link.view or (_NO_VIEW if link.note else None)
    return "/".join(filter(None, (link.replica, view, link.note)))


def notes_url(link: DocLink, default_server: str | None) -> str | None:
    """Return the link for a Notes client, or None where no server is known."""
    server = link.server or default_server
    if not server:
        return None
    return f"notes://{quote(server, safe='')}/{target(link)}"


def web_url(link: DocLink, default_server: str | None, web_links: Mapping[str, WebLinks]) -> str | None:
    """Return the link for a browser, or None where the settings name no host for the server."""
    server = (link.server or default_server or "").lower()
    by_server = {name.lower(): host for name, host in web_links.items()}
    found = by_server.get(server) or by_server.get("*")
    if found is None:
        return None
    template = found.document if link.note else found.view if link.view else found.database
    if "{server}" in found.host and not _HOST_LABEL.fullmatch(server):
        return None
    if "{server}" in template and not server:
        return None
    return template.format(
        host=found.host.format(server=server),
        server=quote(server, safe=""),
        replica=link.replica,
        view=link.view or _NO_VIEW,
        note=link.note or "",
    )
