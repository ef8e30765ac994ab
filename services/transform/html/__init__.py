"""HTML of mail: its tokens, its plain text, and what Outlook writes."""
