"""What an administrator meets: settings, TLS, health, metrics, events, supervision."""
