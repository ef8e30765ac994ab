import os
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.routing.address_map import MAX_FAULTS, read
from shared.routing.address_map_file import AddressMapFile, load
from shared.routing.notes_address import NotesName

HEAD = "public,internal,notes_name\n"
JOHN = "john.doe@example.com,jdoe@notes.example.com,John Doe/Sales/Acme\n"


def test_look_ups_ignore_case_and_quoting() -> None:
    address_map = read(HEAD + JOHN, "a.csv")
    (pair,) = address_map
    assert address_map.by_public("John.Doe@EXAMPLE.com") is pair
    assert address_map.by_internal('"JDOE"@notes.example.com') is pair
    name = NotesName.parse("CN=john doe/OU=sales/O=acme@ACME")
    assert name is not None
    assert address_map.by_name(name) is pair
    assert address_map.by_public("jdoe@notes.example.com") is None


def test_a_row_with_a_notes_domain_is_for_that_domain_only() -> None:
    address_map = read(HEAD + "a@example.com,a@notes.example.com,A B/Acme@ACME\n", "a.csv")
    names = NotesName.parse("A B/Acme@acme"), NotesName.parse("A B/Acme@OTHER")
    assert [name and address_map.by_name(name) is not None for name in names] == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + HEAD + JOHN,
        HEAD.replace("\n", "\r\n") + JOHN.replace("\n", "\r\n"),
        "internal,public\njdoe@notes.example.com,john.doe@example.com\n",
        " Public , INTERNAL,notes_name\n\n john.doe@example.com , jdoe@notes.example.com\n,,\n",
    ],
)
def test_what_spreadsheets_write_is_read(text: str) -> None:
    (pair,) = read(text, "a.csv")
    assert (pair.public, pair.internal) == ("john.doe@example.com", "jdoe@notes.example.com")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "a.csv: empty; the first line must be public,internal,notes_name,aliases"),
        (
            "public,notes_name\n",
            'a.csv:1: column "internal" is missing; the first line must be public,internal,notes_name,aliases',
        ),
        (
            HEAD.replace("notes_name", "notesname"),
            'a.csv:1: unknown column "notesname"; use public, internal, notes_name, aliases',
        ),
        (HEAD + "john,b@x.com\n", 'a.csv:2: public: "john" has no @; write local@domain'),
        (HEAD + "a@x.com\n", 'a.csv:2: internal: "" has no @; write local@domain'),
        (HEAD + "a@x.com,b@x.com,/,\n", "a.csv:2: more cells than columns; quote a cell that holds a comma"),
        (HEAD + "a@x.com,b@x.com,/\n", "a.csv:2: notes_name: '/' is not a Notes name; write John Doe/Sales/Acme"),
        (
            HEAD + "a@x.com,b@x.com\nA@X.com,c@x.com\n",
            "a.csv:3: public A@X.com is also in line 2; remove one of them",
        ),
        (
            HEAD + "a@x.com,b@x.com\nc@x.com,b@x.com\n",
            "a.csv:3: internal b@x.com is also in line 2; remove one of them",
        ),
        (
            HEAD + "a@x.com,b@x.com,J D/A\nc@x.com,d@x.com,CN=J D/O=A\n",
            "a.csv:3: notes_name J D/A is also in line 2; remove one of them",
        ),
        (
            HEAD + "a@x.com,b@x.com\nb@x.com,c@x.com\n",
            "a.csv:2: internal b@x.com is the public address of line 3; give each person one row",
        ),
        (HEAD + '"a@x.com', "a.csv: not valid CSV (unexpected end of data); save it as comma-separated UTF-8 text"),
    ],
)
def test_a_map_that_cannot_be_used_says_where_and_what_to_do(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read(text, "a.csv")
    assert error.value.faults == (fault,)


def test_an_address_cannot_bring_a_line_end_into_a_fault() -> None:
    with pytest.raises(ConfigurationError) as error:
        read(HEAD + '"a\nb@x.com",b@x.com\n', "a.csv")
    assert "\n" not in str(error.value)


def test_a_file_of_the_wrong_kind_has_a_bounded_number_of_faults() -> None:
    with pytest.raises(ConfigurationError) as error:
        read(HEAD + "nobody\n" * 500, "a.csv")
    assert len(error.value.faults) == MAX_FAULTS + 1
    assert error.value.faults[-1] == "a.csv: 480 more faults"


def test_a_person_may_have_one_address_on_both_sides() -> None:
    assert len(read(HEAD + "a@x.com,a@x.com,A B/Acme\n", "a.csv")) == 1


def test_a_missing_or_unreadable_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.csv: No such file or directory; correct addresses\.map"):
        load(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"public,internal\nj\xfcrgen@x.com,b@x.com\n")
    with pytest.raises(ConfigurationError, match=r"latin\.csv: not UTF-8 at byte 17; save the file as UTF-8"):
        load(tmp_path / "latin.csv")


def replace_file(path: Path, text: str) -> None:
    """Put a new version in place as administrators' tools do: another inode, at once."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + JOHN)
    file = AddressMapFile(path)
    first = file.current()
    assert file.current() is first
    replace_file(path, HEAD + "mary@example.com,mary@notes.example.com\n")
    second = file.current()
    assert second.by_public("mary@example.com")
    assert not second.by_public("john.doe@example.com")
    assert file.current() is second


def test_a_version_written_in_place_is_seen_by_its_time(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + JOHN)
    file = AddressMapFile(path)
    path.write_text((HEAD + JOHN).replace("john.doe", "jane.doe"))
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000_000))
    assert file.current().by_public("jane.doe@example.com")


def test_a_broken_version_keeps_the_old_map_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + JOHN)
    file = AddressMapFile(path)
    good = file.current()
    replace_file(path, HEAD + "nobody,x@y.com\n")
    assert [file.current() is good for _ in range(3)] == [True, True, True]
    assert [record.message for record in caplog.records] == ["address_map.rejected"]
    path.unlink()
    assert file.current() is good
    assert [record.message for record in caplog.records] == ["address_map.rejected"] * 2
    replace_file(path, HEAD + JOHN)
    assert file.current().by_public("john.doe@example.com")


def test_a_map_with_semicolons_is_one_fault() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read((HEAD + JOHN).replace(",", ";"), "a.csv")
    assert caught.value.faults == ("a.csv:1: cells are separated by semicolons; use commas",)


ALIASES = "public,internal,notes_name,aliases\n"


@pytest.mark.parametrize(
    "cell",
    [
        "jd@x.com;j.d@notes.x.com",
        "jd@x.com j.d@notes.x.com",
        " jd@x.com ;  j.d@notes.x.com; ",
        '"jd@x.com, j.d@notes.x.com"',
    ],
)
def test_aliases_are_separated_by_semicolons_blanks_or_commas(cell: str) -> None:
    (pair,) = address_map = read(ALIASES + f"john@x.com,jdoe@notes.x.com,,{cell}\n", "a.csv")
    assert pair.aliases == ("jd@x.com", "j.d@notes.x.com")
    assert address_map.find("J.D@notes.x.com") is address_map.find("jd@X.com") is pair


def test_an_alias_that_says_nothing_new_is_passed_over() -> None:
    (pair,) = read(ALIASES + "john@x.com,jdoe@notes.x.com,,JOHN@x.com;jdoe@notes.x.com;a@x.com;A@X.com\n", "a.csv")
    assert [alias.lower() for alias in pair.aliases] == ["a@x.com"]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("a@x.com,b@x.com,,c@x.com\nc@x.com,d@x.com,,\n", "a.csv:2: alias c@x.com is an address of line 3 too"),
        ("a@x.com,b@x.com,,d@x.com\nc@x.com,d@x.com,,\n", "a.csv:2: alias d@x.com is an address of line 3 too"),
        ("a@x.com,b@x.com,,e@x.com\nc@x.com,d@x.com,,E@x.com\n", "a.csv:3: alias E@x.com is an address of line 2 too"),
        ("a@x.com,b@x.com,,nobody\n", 'a.csv:2: aliases: "nobody" has no @; write local@domain'),
        ("*@x.com,*@notes.x.com,,\n", "a.csv:2: public: *@x.com is a pattern; write one row for each person, or"),
        ("a@x.com,*@notes.x.com,,\n", "a.csv:2: internal: *@notes.x.com is a pattern"),
        ("a@x.com,sales-*@notes.x.com,,\n", "a.csv:2: internal: sales-*@notes.x.com is a pattern"),
        ("a@x.com,b@*.x.com,,\n", "a.csv:2: internal: b@*.x.com is a pattern"),
        ("a@x.com,b@x.com,,*@y.com\n", "a.csv:2: aliases: *@y.com is a pattern"),
        ("@x.com,b@x.com,,\n", "a.csv:2: public: @x.com is a pattern"),
    ],
)
def test_a_map_with_an_alias_or_pattern_that_cannot_be_used_says_so(rows: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read(ALIASES + rows, "a.csv")
    assert len(error.value.faults) == 1
    assert error.value.faults[0].startswith(fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ((HEAD + JOHN).replace(",", "\t"), "a.csv:1: cells are separated by tabs; use commas"),
        (
            JOHN,
            "a.csv:1: the names of the columns are missing; the first line must be public,internal,notes_name,aliases",
        ),
        ("public,internal,public\n", 'a.csv:1: column "public" appears twice; remove one of them'),
    ],
)
def test_a_file_of_another_form_is_one_fault(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text, "a.csv")
    assert caught.value.faults == (fault,)


def people(count: int) -> str:
    return HEAD + "".join(f"p{at}@example.com,i{at}@notes.example.com,\n" for at in range(count))


@pytest.mark.parametrize(
    ("sizes", "max_shrink", "is_taken"),
    [
        ((20, 18), 0.1, True),
        ((20, 17), 0.1, False),
        ((20, 0), 0.1, False),
        ((1, 0), 0.1, False),
        ((20, 0), 1.0, True),
        ((20, 19), 0.0, False),
        ((20, 21), 0.0, True),
        ((0, 5), 0.1, True),
    ],
)
def test_a_version_that_lacks_too_many_pairs_waits_for_a_reload(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sizes: tuple[int, int], max_shrink: float, is_taken: bool
) -> None:
    before, after = sizes
    path = tmp_path / "a.csv"
    path.write_text(people(before))
    file = AddressMapFile(path, max_shrink)
    replace_file(path, people(after))
    assert [len(file.current()) for _ in range(3)] == [after if is_taken else before] * 3
    shrunk = [record for record in caplog.records if record.message == "address_map.shrunk"]
    assert len(shrunk) == (not is_taken)
    assert len(file.reload()) == after
    assert len(file.current()) == after
    assert len(AddressMapFile(path, max_shrink).current()) == after
