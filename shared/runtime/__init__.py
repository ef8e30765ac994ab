"""How a service runs: its frame, health, gauges, data folder, and all services on one machine."""
