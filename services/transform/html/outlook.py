"""HTML written by Outlook (with Word), reduced to the parts that other programs render; the result looks the same.

What goes: hidden conditional comments, the markers of the others, `xml` islands, Office elements (`o:p`, VML, smart
tags; their content stays), Office attributes and namespaces, `mso-` styles and Word's lists and fonts in style sheets,
links to files that only Word reads. A picture that a hidden comment holds without a fallback becomes an `img`.

What stays is left byte for byte: every text, image, table, link, class and style of CSS.

Quirks: `<!--[if !mso]><!-->…<!--<![endif]-->` and `<![if !vml]>…<![endif]>` show their content in all programs except
Word; smart tags are `st1:place`; copies of copies call their elements `u1:p`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from services.transform.editing.text_body import Replacement, replaced
from services.transform.html.tokens import Attribute, Token, tokens

_CONDITION = re.compile(r"<!--\s*+(?:\[if\b|<!\[if\b|<!\[endif\b|\[endif\b)|<!\[(?:if|endif)\b", re.IGNORECASE)
_VML_COMMENT = re.compile(r"<!--\s*+\[if\s[^\]]{0,80}?\bvml\b[^\]]{0,80}+\]>", re.IGNORECASE)
_NOT_VML = re.compile(r"<!(?:--\s*+)?\[if\s[^\]]{0,80}?!\s*+vml", re.IGNORECASE)
_OFFICE_PREFIX = re.compile(r"(?:[ovwmxp]|st\d*|[ouw]\d+|dt|wp|wps|sl):")
_PROCESSING = re.compile(r"<\?xml", re.IGNORECASE)
_GENERATOR = re.compile(r"Microsoft Word|Microsoft Outlook|Word\.Document", re.IGNORECASE)
_WORD_LINKS = frozenset(
    {"file-list", "edit-time-data", "ole-object-data", "themedata", "colorschememapping", "datastoreitem", "preview"}
)
_WORD_METAS = frozenset({"progid", "originator"})

# A declaration with its semicolon; one in a reference, a string or parentheses ends none.
_DECLARATION = re.compile(r"(?:&quot;.*?&quot;|&[#\w]{1,30};|\"[^\"]*+\"|'[^']*+'|\([^()]*+\)|[^;])++;?|;", re.DOTALL)
_WORD_PROPERTY = re.compile(
    r"\s*+(?:mso-|(?:tab-stops|tab-interval|panose-1|behavior|text-underline|layout-grid-mode)\s*+:)"
)
_SIZE = re.compile(r"\s*+(?:width|height)\s*+:")
_BLOCK = re.compile(r"\{([^{}]*+)\}")
_BEFORE_SELECTOR = re.compile(r".*(?:\*/|<!--|-->|[;{}])\s*", re.DOTALL)


def is_outlook_html(text: str, found: Sequence[Token]) -> bool:
    """Whether Outlook or Word wrote the HTML.

    Such HTML has a generator entry or an `o:p` element, which no other program writes. Namespaces, conditional comments
    and `mso-` styles alone are no evidence: newsletters contain them for Outlook.
    """
    for token in found:
        if token.kind == "start" and token.name == "o:p":
            return True
        if token.kind == "start" and token.name == "meta":
            name = (token.attribute(text, "name") or "").lower()
            if name in {"generator", "progid"} and _GENERATOR.match(token.attribute(text, "content") or ""):
                return True
    return False


def reductions(text: str) -> list[Replacement]:
    """Return the replacements that reduce an HTML text; none for HTML that Outlook did not write."""
    lower = text[:100_000].lower()
    if "microsoft" not in lower and "<o:p" not in text.lower():
        return []
    found = list(tokens(text))
    if not is_outlook_html(text, found):
        return []
    return list(_reductions(text, found))


def _reductions(text: str, found: Sequence[Token]) -> Iterator[Replacement]:
    island_end = 0
    islands = _islands(found)
    for index, token in enumerate(found):
        if token.start < island_end:
            continue
        if index in islands:
            island_end = islands[index]
            yield Replacement(token.start, island_end, "")
        elif token.kind in {"comment", "bogus"}:
            if _CONDITION.match(text, token.start, token.end) or _PROCESSING.match(text, token.start, token.end):
                yield Replacement(token.start, token.end, _picture(text, found, index))
        elif token.kind in {"start", "end"} and _OFFICE_PREFIX.match(token.name):
            yield Replacement(token.start, token.end, "")
        elif token.kind == "start":
            yield from _tag(text, token)
        elif token.kind == "raw" and found[index - 1].name == "style":
            yield from _style_sheet(text, token)


def _islands(found: Sequence[Token]) -> dict[int, int]:
    """Return the index of each `xml` element's start tag, and where the element ends."""
    islands: dict[int, int] = {}
    opened: int | None = None
    for index, token in enumerate(found):
        if token.name == "xml" and token.kind == "start" and opened is None:
            opened = index
        elif token.name == "xml" and token.kind == "end" and opened is not None:
            islands[opened] = token.end
            opened = None
    return islands


def _picture(text: str, found: Sequence[Token], index: int) -> str:
    """Return an `img` for a picture in a hidden comment of VML, "" where there is none or a fallback follows."""
    token = found[index]
    opening = _VML_COMMENT.match(text, token.start, token.end)
    if not opening or _has_fallback(text, found[index + 1 : index + 3]):
        return ""
    inside = text[opening.end() : token.end]
    size = ""
    for tag in tokens(inside):
        if tag.kind != "start":
            continue
        if tag.name == "v:shape":
            declarations = _DECLARATION.findall(tag.attribute(inside, "style") or "")
            size = "".join(each.strip() for each in declarations if _SIZE.match(each)).rstrip(";")
        elif tag.name == "v:imagedata" and (source := tag.attribute(inside, "src")):
            style = f' style="{escape(size)}"' if size else ""
            return f'<img src="{escape(source)}"{style}>'
    return ""


def _has_fallback(text: str, following: Sequence[Token]) -> bool:
    for token in following:
        if token.kind == "text" and not text[token.start : token.end].strip():
            continue
        return _NOT_VML.match(text, token.start, token.end) is not None
    return False


def _tag(text: str, token: Token) -> Iterator[Replacement]:
    if token.name == "link" and (token.attribute(text, "rel") or "").lower() in _WORD_LINKS:
        yield Replacement(token.start, token.end, "")
        return
    if token.name == "meta" and (token.attribute(text, "name") or "").lower() in _WORD_METAS:
        yield Replacement(token.start, token.end, "")
        return
    for attribute in token.attributes(text):
        is_namespace = attribute.name == "xmlns" or attribute.name.startswith("xmlns:")
        if is_namespace or _OFFICE_PREFIX.match(attribute.name):
            yield Replacement(attribute.start, attribute.end, "")
        elif attribute.name == "style":
            yield from _style_attribute(text, attribute)


def _style_attribute(text: str, attribute: Attribute) -> Iterator[Replacement]:
    removed = list(_word_declarations(text, attribute.value_start, attribute.value_end))
    if not removed:
        return
    if replaced(text, attribute.value_start, attribute.value_end, removed).strip():
        yield from removed
    else:
        yield Replacement(attribute.start, attribute.end, "")


def _word_declarations(text: str, start: int, end: int) -> Iterator[Replacement]:
    for found in _DECLARATION.finditer(text, start, end):
        if _WORD_PROPERTY.match(found[0].lower()):
            yield Replacement(found.start(), found.end(), "")


def _style_sheet(text: str, token: Token) -> Iterator[Replacement]:
    """Yield what rids a style sheet of Word's own rules, of its declarations, and of rules left empty by that."""
    position = token.start
    for block in _BLOCK.finditer(text, token.start, token.end):
        prelude = text[position : block.start()]
        before = _BEFORE_SELECTOR.match(prelude)
        selector_start = position + (before.end() if before else len(prelude) - len(prelude.lstrip()))
        selector = text[selector_start : block.start()].strip().lower()
        removed = list(_word_declarations(text, block.start(1), block.end(1)))
        is_emptied = removed and not replaced(text, block.start(1), block.end(1), removed).strip()
        is_of_word = selector.startswith("@list") or (selector == "@font-face" and "src" not in block[1].lower())
        if is_emptied or is_of_word:
            yield Replacement(selector_start, block.end(), "")
        else:
            yield from removed
        position = block.end()
