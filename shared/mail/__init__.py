"""Mail's own values: envelopes, MIME spans, edits, addresses, replies, outcomes, reports. No input or output."""
