"""The header fields that hold mailboxes (RFC 5322 section 3.4), in lower case."""

from __future__ import annotations

FIELDS = frozenset(
    {
        *("from", "sender", "reply-to", "to", "cc", "bcc"),  # RFC 5322 section 3.6.2, 3.6.3
        *("resent-from", "resent-sender", "resent-reply-to", "resent-to", "resent-cc", "resent-bcc"),  # 3.6.6
        *("return-path", "delivered-to", "apparently-to", "errors-to"),
        *("disposition-notification-to", "return-receipt-to"),  # receipts: RFC 8098, Sendmail
        *("x-confirm-reading-to", "read-receipt-to"),  # Pegasus
        *("mail-followup-to", "mail-reply-to", "followup-to", "original-from", "original-sender", "original-to"),
        *("x-sender", "x-receiver", "x-original-to", "x-envelope-from", "x-envelope-to"),  # relays: Exchange, Postfix
        *("envelope-from", "envelope-to", "envelope-recipient", "x-envelope-sender", "x-envelope-recipient"),
        *("x-delivered-to", "x-forwarded-to", "x-apparently-to", "x-rcpt-to", "x-real-to", "x-mail-from", "x-mailfrom"),
        *("x-original-from", "x-original-sender", "x-original-cc", "x-original-recipient", "x-original-reply-to"),
        *("x-original-return-path", "x-original-delivered-to", "x-google-original-from", "x-reply-to", "x-errors-to"),
        *("x-return-path", "x-resent-from", "x-resent-to", "x-resent-for", "x-redirected-to", "x-failed-recipients"),
        *("x-complaints-to", "abuse-reports-to", "x-beenthere", "x-orig-to"),
    }
)
