"""The visible content of RTF, as HTML and as text at once: runs of characters, paragraphs, tables of one level."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import NamedTuple

DEFAULT_SIZE = 24  # half points (Rich Text Format 1.9.1, \fs)

# Black is the default; what is nearly white could only be seen on the background, which is left out.
_UNSEEN = re.compile("#000000|#[ef].[ef].[ef].")


class Style(NamedTuple):
    """What characters look like. tags: HTML elements. size: half points. colour: of CSS, "" for the default."""

    tags: frozenset[str] = frozenset()
    size: int = DEFAULT_SIZE
    colour: str = ""
    link: str = ""

    def around(self, inner: str) -> str:
        """Return HTML with the style put on."""
        for tag in sorted(self.tags):
            inner = f"<{tag}>{inner}</{tag}>"
        css = [f"color:{self.colour}"] if self.colour and not _UNSEEN.fullmatch(self.colour) else []
        css += [f"font-size:{self.size / 2:g}pt"] if self.size != DEFAULT_SIZE else []
        inner = f'<span style="{";".join(css)}">{inner}</span>' if css else inner
        return f'<a href="{escape(self.link)}">{inner}</a>' if self.link else inner


@dataclass(slots=True)
class Page:
    """A page being written. alignment, in_table: of the paragraph at hand."""

    alignment: str = ""
    in_table: bool = False
    _html: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _runs: list[tuple[Style, str]] = field(default_factory=list)  # of the paragraph at hand, as HTML
    _cell: list[str] = field(default_factory=list)  # paragraphs of the cell at hand
    _row: list[str] = field(default_factory=list)  # cells of the row at hand
    _has_rows: bool = False

    def show(self, text: str, style: Style) -> None:
        """Add characters."""
        self._runs.append((style, escape(text).replace("\t", "&emsp;")))
        self._text.append(text)

    def show_picture(self, content_id: str, style: Style) -> None:
        """Add a picture that goes along by its content id."""
        self._runs.append((style, f'<img src="cid:{content_id}" alt="">'))

    def break_line(self, style: Style) -> None:
        """Begin a new line in the same paragraph."""
        self._runs.append((style, "<br>\r\n"))
        self._text.append("\n")

    def end_paragraph(self) -> None:
        """End the paragraph; one outside of a table ends the table."""
        style = f' style="text-align:{self.alignment}"' if self.alignment else ""
        paragraph = f"<div{style}>{self._runs_as_html() or '<br>'}</div>\r\n"
        self._text.append("\n")
        if self.in_table:
            self._cell.append(paragraph)
        else:
            self._end_table()
            self._html.append(paragraph)

    def end_cell(self) -> None:
        """End a cell of a table."""
        self._row.append("".join(self._cell) + self._runs_as_html())
        self._cell = []
        self._text.append("\t")

    def end_row(self) -> None:
        """End a row of a table; the first one begins the table."""
        if not self._has_rows:
            self._html.append('<table border="1" style="border-collapse:collapse">\r\n')
        self._has_rows = True
        self._html.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in self._row) + "</tr>\r\n")
        self._row = []
        self._text.append("\n")

    def finish(self) -> tuple[str, str]:
        """Return the HTML and the text."""
        if self._cell:
            self.end_cell()
        if self._runs:
            self.in_table = False
            self.end_paragraph()
        self._end_table()
        text = "\n".join(line.rstrip() for line in "".join(self._text).split("\n")).strip("\n")
        return f"<html><body>\r\n{''.join(self._html)}</body></html>\r\n", text

    def _end_table(self) -> None:
        if self._row:
            self.end_row()
        if self._has_rows:
            self._html.append("</table>\r\n")
            self._has_rows = False

    def _runs_as_html(self) -> str:
        runs, self._runs = self._runs, []
        styled = groupby(runs, key=lambda run: run[0])
        return "".join(style.around("".join(html for _, html in same)) for style, same in styled)
