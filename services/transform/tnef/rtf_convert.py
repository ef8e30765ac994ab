r"""RTF of its own right as HTML and as text: what Outlook's and Word's rich text shows in a mail.

Kept: paragraphs with their alignment, line breaks, bold, italic, underline, strike-through, super- and subscript, size,
colour, bullets and numbers (as Word wrote them beside the list codes), tables (not nested), links, and pictures that
browsers know (PNG, JPEG), as parts to go along. Everything else is left out; no character of the text is.

Both forms come from one pass, in time linear in the bytes.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from services.transform.tnef.rtf import read_rtf
from services.transform.tnef.rtf_page import Page, Style

_SILENT = frozenset(
    (
        *("fonttbl", "stylesheet", "info", "filetbl", "revtbl", "rsidtbl", "listtable", "listoverridetable"),
        *("header", "headerf", "headerl", "headerr", "footer", "footerf", "footerl", "footerr", "annotation"),
        *("nonshppict", "pntxta", "pntxtb", "xe", "tc", "bkmkstart", "bkmkend", "themedata", "datastore", "objdata"),
    )
)
_SPOKEN = frozenset(("shppict", "pntext", "listtext", "fldinst", "pict"))  # optional destinations that are understood
_NOTED = frozenset(("colortbl", "fldinst", "fldrslt", "pict"))
_SHOWN = frozenset(("", "fldrslt"))  # the document, and what a field shows in it
_ALIGNMENTS = {"ql": "", "qc": "center", "qr": "right", "qj": "justify"}
_PARAGRAPH_ENDS = frozenset(("par", "sect", "page"))
_LINE_BREAKS = frozenset(("line", "lbr"))
_TOGGLES = {"b": "b", "i": "i", "strike": "s", "striked": "s", "ul": "u", "uld": "u", "uldb": "u", "ulw": "u"}
_PICTURES = {"pngblip": "image/png", "jpegblip": "image/jpeg"}
_HYPERLINK = re.compile(r'HYPERLINK\s+(?:\\l\s+)?"?([^"\s]+)')
_LINK = re.compile(r"(?:https?|ftp|mailto|notes|tel|file):", re.IGNORECASE)
_NOT_HEX = re.compile(r"[^0-9a-fA-F]+")
_MAX_PICTURES = 200
_SIZES = (8, 144)  # half points
_PLAIN = Style()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that the HTML refers to as `cid:` and its content id."""

    content_id: str
    content_type: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Converted:
    """The two forms of one RTF text, and the pictures of the first."""

    html: str
    text: str
    pictures: tuple[Picture, ...] = ()


class _Group(NamedTuple):
    r"""What a closing brace restores. starts: nothing has been read in it; is_optional: nothing but `\*`."""

    style: Style = _PLAIN
    destination: str = ""
    starts: bool = False
    is_optional: bool = False


def convert(rtf: bytes) -> Converted:
    """Return the RTF as HTML and as text."""
    return _Conversion().run(rtf)


@dataclass(slots=True)
class _Conversion:
    page: Page = field(default_factory=Page)
    group: _Group = field(default_factory=_Group)
    groups: list[_Group] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)
    colour: dict[str, int] = field(default_factory=dict)  # that the colour table is telling about
    instruction: list[str] = field(default_factory=list)  # of the field at hand
    link: str = ""
    pictures: list[Picture] = field(default_factory=list)
    picture_type: str = ""
    picture_digits: list[str] = field(default_factory=list)

    def run(self, rtf: bytes) -> Converted:
        for kind, text, number in read_rtf(rtf):
            if kind == "open":
                self.groups.append(self.group)
                self.group = self.group._replace(starts=True, is_optional=False)
            elif kind == "close":
                self._close()
            elif kind == "text":
                self._characters(text)
            else:
                self._word(text, number)
        return Converted(*self.page.finish(), tuple(self.pictures))

    def _close(self) -> None:
        closed, self.group = self.group, self.groups.pop() if self.groups else self.group
        if closed.destination == self.group.destination:
            return
        if closed.destination == "fldinst":
            found = _HYPERLINK.search("".join(self.instruction))
            self.link = found[1] if found and _LINK.match(found[1]) else ""
            self.instruction = []
        elif closed.destination == "fldrslt":
            self.link = ""
        elif closed.destination == "pict":
            self._end_picture()

    def _characters(self, text: str) -> None:
        group = self.group
        if group.starts:
            destination = "skip" if group.is_optional else group.destination
            self.group = group = group._replace(starts=False, destination=destination)
        if group.destination in _SHOWN:
            self.page.show(text, group.style._replace(link=self.link) if self.link else group.style)
        elif group.destination == "fldinst":
            self.instruction.append(text)
        elif group.destination == "pict":
            self.picture_digits.append(_NOT_HEX.sub("", text))
        elif group.destination == "colortbl":
            for _ in range(text.count(";")):
                shares = (self.colour.get(share, 0) for share in ("red", "green", "blue"))
                self.colours.append("#{:02x}{:02x}{:02x}".format(*shares) if self.colour else "")
                self.colour = {}

    def _word(self, word: str, number: int | None) -> None:
        group = self.group
        if word == "*":
            self.group = group._replace(is_optional=True)
            return
        if group.starts:
            destination = group.destination
            if destination in _SHOWN and (word in _SILENT or (group.is_optional and word not in _SPOKEN)):
                destination = "skip"
            elif destination in _SHOWN and word in _NOTED:
                destination = word
            self.group = group = group._replace(starts=False, destination=destination)
        if group.destination in _SHOWN:
            self._format(word, number)
        elif group.destination == "pict" and word in _PICTURES:
            self.picture_type = _PICTURES[word]
        elif group.destination == "colortbl" and word in ("red", "green", "blue"):
            self.colour[word] = min(max(number or 0, 0), 255)

    def _format(self, word: str, number: int | None) -> None:
        page = self.page
        if word in _PARAGRAPH_ENDS:
            page.end_paragraph()
        elif word in _LINE_BREAKS:
            page.break_line(self.group.style)
        elif word in _ALIGNMENTS:
            page.alignment = _ALIGNMENTS[word]
        elif word == "pard":
            page.alignment, page.in_table = "", False
        elif word == "intbl":
            page.in_table = True
        elif word == "cell":
            page.end_cell()
        elif word == "row":
            page.end_row()
        elif (style := self._styled(self.group.style, word, number)) is not self.group.style:
            self.group = self.group._replace(style=style)

    def _styled(self, style: Style, word: str, number: int | None) -> Style:
        """Return the style as a word changes it; the same one where it does not."""
        if word in _TOGGLES:
            tag = frozenset((_TOGGLES[word],))
            return style._replace(tags=style.tags - tag if number == 0 else style.tags | tag)
        if word == "plain":
            return _PLAIN
        if word == "ulnone":
            return style._replace(tags=style.tags - {"u"})
        if word in ("super", "sub", "nosupersub"):
            tags = style.tags - {"sup", "sub"}
            return style._replace(tags=tags | {word[:3]} if word != "nosupersub" else tags)
        if word == "fs" and number:
            return style._replace(size=min(max(number, _SIZES[0]), _SIZES[1]))
        if word == "cf":
            index = number or 0
            return style._replace(colour=self.colours[index] if 0 < index < len(self.colours) else "")
        return style

    def _end_picture(self) -> None:
        digits, content_type = "".join(self.picture_digits), self.picture_type
        self.picture_digits, self.picture_type = [], ""
        if content_type and digits and len(self.pictures) < _MAX_PICTURES:
            octets = binascii.unhexlify(digits[: len(digits) // 2 * 2])
            content_id = f"picture{len(self.pictures) + 1}@{binascii.crc32(octets):08x}.rtf"
            self.pictures.append(Picture(content_id, content_type, octets))
            self.page.show_picture(content_id, self.group.style)
