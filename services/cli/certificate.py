"""`causeway certificate self-signed|inspect`: development certificates; names and expiry of certificates."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.cli.options import Commands, add_command, add_config, add_json
from services.cli.output import print_json, print_table
from shared import configuration
from shared.errors import CausewayError
from shared.operations.certificates import Certificate, configured, inspect, key_matches, self_signed


def add(commands: Commands) -> None:
    """Register the two commands."""
    parser = commands.add_parser("certificate", help="create development certificates, inspect the configured ones")
    kinds = parser.add_subparsers(metavar="COMMAND", required=True)

    make = add_command(kinds, "self-signed", "create a CA and a certificate for development", run_self_signed)
    make.add_argument("names", nargs="*", metavar="NAME", help="DNS names and addresses (default: hostname, localhost)")
    make.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder for ca.crt, tls.crt, tls.key")
    make.add_argument("--days", type=int, default=825, metavar="N", help="days of validity (default: 825)")
    add_config(make)

    look = add_command(
        kinds, "inspect", "print names and expiry of the configured certificates, or of files", run_inspect
    )
    look.add_argument("files", nargs="*", type=Path, metavar="FILE", help="certificates instead of the configured ones")
    add_config(look)
    add_json(look)


def run_self_signed(options: argparse.Namespace) -> int:
    """Write ca.crt, tls.crt and tls.key."""
    if not 1 <= options.days <= 36500:
        raise CausewayError(f"--days: must be from 1 to 36500, not {options.days}")
    names = options.names or list(
        dict.fromkeys([configuration.load(options.config).hostname, "localhost", "127.0.0.1"])
    )
    try:
        files = self_signed(options.out, names, options.days)
    except OSError as error:
        raise CausewayError(
            f"--out: {error.filename} cannot be written ({error.strerror}): choose another folder"
        ) from None
    except ValueError as error:
        raise CausewayError(f"NAME: {error}") from None
    print(f"{files.ca}: the CA, for everyone who has to trust the certificate")
    print(f"{files.certificate} and {files.key}: for {', '.join(names)}, {options.days} days")
    return 0


def run_inspect(options: argparse.Namespace) -> int:
    """Print each certificate; fail where one cannot be read, has expired or does not match its key."""
    now = datetime.now(UTC)
    if options.files:
        certificates: list[tuple[str, Path, Path | None]] = [(str(file), file, None) for file in options.files]
    else:
        settings = configuration.load(options.config)
        certificates = list(configured(settings))
    if not certificates:
        raise CausewayError("ingress.tls.certificate: no certificate is configured: set it, or name files to inspect")
    found = [_facts(use, inspect(file), key, now) for use, file, key in certificates]
    if options.json:
        print_json(found)
    else:
        titles = ("USE", "NAMES", "ISSUER", "VALID FROM", "EXPIRES", "DAYS LEFT", "KEY")
        print_table(
            titles,
            [
                (
                    facts["use"],
                    ", ".join(facts["names"]),
                    facts["issuer"],
                    facts["valid_from"][:10],
                    facts["expires_at"][:10],
                    facts["days_left"],
                    _key(facts),
                )
                for facts in found
            ],
        )
    return 0 if all(facts["valid_now"] and facts["key_matches"] is not False for facts in found) else 1


def _facts(use: str, certificate: Certificate, key: Path | None, now: datetime) -> dict[str, Any]:
    return {
        "use": use,
        "file": str(certificate.file),
        "subject": certificate.subject,
        "names": list(certificate.names),
        "issuer": certificate.issuer,
        "valid_from": certificate.valid_from.isoformat(),
        "expires_at": certificate.expires_at.isoformat(),
        "days_left": certificate.days_left(now),
        "valid_now": certificate.valid_from <= now < certificate.expires_at,
        "key_matches": key_matches(certificate, key) if key else None,
    }


def _key(facts: dict[str, Any]) -> str | None:
    return {True: "matches", False: "does not match", None: None}[facts["key_matches"]]
