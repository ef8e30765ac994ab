"""TNEF (`winmail.dat`): parsed into values and converted to MIME.

The parser is part of the project. The format is simple; the difficult parts are detecting damage and limiting
resources. tnefparse, the only library, logs errors in MAPI properties and returns the rest as if it were complete,
identifies named properties only by number, and recurses into nested messages without a limit. The same applies to RTF:
plain RTF needs a reader with code pages and fonts in any case, and de-encapsulation (MS-OXRTFEX) adds two rules to it,
while RTFDE builds a parse tree of the whole text and depends on tools for OLE forensics. OLE compound files are read by
the library olefile.
From the wire up: `cursor` → `stream` (attributes) → `properties` (MAPI) → `message` (the content of a stream), with
`codepage`, `ole` and the `rtf` modules. Interpretation: `appointment` (with `recurrence`, `time_zone`,
`global_object_id`) → `meeting`; `task`, `receipt`, `summary`; `carrier` has the header fields of the message around
a stream. Output: `icalendar_object`, `parts` (MIME entities) → `content` (a stream as alternatives and
attachments) → `placement` (the edits). Everything is pure.
"""
