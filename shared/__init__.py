"""What every service may use: mail values, the spool, routing and operations. Imports no service."""
