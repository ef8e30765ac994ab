"""TNEF (`winmail.dat`) read into plain values, and composed again as MIME.

The reader is our own. The stream is a few lengths and counts; what costs an outcome is knowing when it is damaged, and
bounding it. tnefparse, the one library for it, logs errors in MAPI properties and returns the rest as if it were whole,
names named properties by their bare number, and recurses into nested messages without a bound. The same holds for RTF:
plain RTF needs a reader with code pages and fonts anyway, and de-encapsulation (MS-OXRTFEX) is two rules on top of it,
while RTFDE builds a parse tree of the whole text and brings a tool chain for OLE forensics along. OLE compound files
are another matter: olefile reads them.

From the wire up: `cursor` → `stream` (attributes) → `properties` (MAPI) → `message` (what a stream says), with
`codepage`, `ole` and the `rtf` family beside it. What it means: `appointment` (with `recurrence`, `time_zone`,
`global_object_id`) → `meeting`; `task`, `receipt`, `summary`; `carrier` has what only the message around a stream
tells. What is written: `icalendar_object`, `parts` (MIME entities) → `content` (a stream as alternatives and
attachments) → `placement` (the edits). Everything is pure.
"""
