"""How a service runs: the Service value, its start, health, gauges, data folder, and all services on one machine."""
