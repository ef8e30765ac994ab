"""What every process has: events, metrics, TLS, certificates, child processes."""
