"""Ingress: accepts SMTP and answers 250 once the spool has the message."""
