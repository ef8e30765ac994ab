"""What an .ndl part says, and the addresses made of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transform.doclinks.addresses import notes_url, web_url
from services.transform.doclinks.ndl import DocLink, read_links
from shared.configuration.transform import TransformSettings, WebLinks

REPLICA = "852574AD0071F940"
VIEW = "4CFF7552DE36738C85257513005613F2"
NOTE = "91ADD130BA6F9BED8525772B0009BC0D"
WEB = {"*": WebLinks(host="web.example.com")}


VIEW_ID = "OF4CFF7552:DE36738C-ON85257513:005613F2"
NOTE_ID = "OF91ADD130:BA6F9BED-ON8525772B:0009BC0D"
SWAPPED = ("ON85257513:005613F2-OF4CFF7552:DE36738C", "ON8525772B:0009BC0D-OF91ADD130:BA6F9BED")


@pytest.mark.parametrize(
    "text",
    [
        f"<REPLICA 852574AD:0071F940>\n<VIEW {VIEW_ID}>\n<NOTE {NOTE_ID}>",
        f"<FLAGS 2><REPLICA>852574AD:0071F940</REPLICA><VIEW>{VIEW_ID}</VIEW><NOTE>{NOTE_ID}</NOTE>",
        f"<REPLICA 852574AD:0071F940><VIEW {SWAPPED[0]}><NOTE {SWAPPED[1]}>",
        f"<replica 852574ad0071f940><view\n{VIEW.lower()} ><NOTE>\n{NOTE[:16]} {NOTE[16:]}\n</NOTE>",
    ],
)
def test_every_form_names_the_same_document(text: str) -> None:
    assert read_links(f"<NDL>{text}</NDL>") == (DocLink(REPLICA, VIEW, NOTE),)


def test_server_and_name_are_read_from_wrapped_lines() -> None:
    (link,) = read_links(
        "Projects\\By author\n<NDL><REPLICA 852574AD:0071F940><HINT>CN=Mail 07/OU=CAM/\nO=Acme</HINT>"
        "<REM>Database 'Projects',\r\nView 'By author'</REM></NDL>"
    )
    assert (link.server, link.name, link.title) == (
        "Mail 07",
        "Database 'Projects', View 'By author'",
        "Projects\\By author",
    )


def test_the_title_names_a_link_without_remark() -> None:
    assert read_links("Projects\\By author\n<NDL><REPLICA 852574AD:0071F940></NDL>")[0].name == "Projects"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<NDL></NDL>",
        "<NDL><REPLICA 852574AD:0071F940>",
        "<NDL><REPLICA 852574AD:0071F9></NDL>",
        "<NDL><REPLICA 852574AD:0071F940><NOTE></NDL>",
        "<NDL><REPLICA 852574AD:0071F940><VIEW OF4CFF7552:DE36738C></NDL>",
        "<NDL><REPLICA 852574AD:0071F940></NDL><NDL><REPLICA 8525",
    ],
)
def test_what_is_broken_or_cut_short_is_no_link(text: str) -> None:
    assert read_links(text) == ()


@pytest.mark.parametrize(
    ("link", "notes", "web"),
    [
        (DocLink(REPLICA, VIEW, NOTE, "S"), f"/{VIEW}/{NOTE}", f"/{VIEW}/{NOTE}?OpenDocument"),
        (DocLink(REPLICA, None, NOTE, "S"), f"/0/{NOTE}", f"/0/{NOTE}?OpenDocument"),
        (DocLink(REPLICA, VIEW, None, "S"), f"/{VIEW}", f"/{VIEW}?OpenView"),
        (DocLink(REPLICA, None, None, "S"), "", "?OpenDatabase"),
    ],
)
def test_addresses_go_as_far_as_the_link(link: DocLink, notes: str, web: str) -> None:
    assert notes_url(link, None) == f"notes://S/{REPLICA}{notes}"
    assert web_url(link, None, WEB) == f"https://web.example.com/__{REPLICA}.nsf{web}"


def test_no_address_is_made_without_a_server_or_a_host() -> None:
    link = DocLink(REPLICA)
    assert notes_url(link, None) is None
    assert notes_url(link, "Default") == f"notes://Default/{REPLICA}"
    assert web_url(link, None, {}) is None
    assert web_url(link, None, {"other": WebLinks(host="h")}) is None
    assert web_url(link, "OTHER", {"Other": WebLinks(host="h")}) == f"https://h/__{REPLICA}.nsf?OpenDatabase"


def test_templates_of_the_settings_are_filled_in() -> None:
    by_path = WebLinks(host="{server}.example.com", document="https://{host}/sales.nsf/{view}/{note}?Open&s={server}")
    assert web_url(DocLink(REPLICA, VIEW, NOTE, "Hub1"), None, {"*": by_path}) == (
        f"https://hub1.example.com/sales.nsf/{VIEW}/{NOTE}?Open&s=hub1"
    )
    assert web_url(DocLink(REPLICA, VIEW, NOTE, "evil.example/x"), None, {"*": by_path}) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "a/b"},
        {"host": "h", "document": "javascript:{note}"},
        {"host": "h", "view": "https://{x}"},
        {"host": "{"},
    ],
)
def test_templates_that_make_no_address_are_faults_of_the_settings(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"host|web link|braces"):
        WebLinks.model_validate(fields)


def test_web_links_need_a_host() -> None:
    with pytest.raises(ValueError, match="web_links"):
        TransformSettings(links=["web_url"])


@given(
    st.text()
    | st.lists(st.sampled_from(["<NDL>", "</NDL>", "<REPLICA ", ">", "<HINT>", "85", " ", "OF", "ON"])).map("".join)
)
def test_any_text_is_read(text: str) -> None:
    for link in read_links(text):
        assert len(link.replica) == 16
