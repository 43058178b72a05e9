"""The CA roots that AWS endpoints chain to, selected from the SDK's bundle.

OpenSSL reads the whole file for each new TLS connection: 16 ms of CPU for all of them, 2 ms for these.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

ORGANISATIONS = frozenset({"Amazon", "Starfield Technologies, Inc.", "DigiCert Inc"})
"""Amazon Trust Services recommends the roots of the first two for a custom trust store; the third used to sign AWS's
endpoints, and is kept for Regions that migrated late."""


def aws_roots(all_roots: Path) -> str:
    """The roots in PEM, always in the same order, whatever order OpenSSL lists them in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(all_roots)
    certificates = zip(context.get_ca_certs(), context.get_ca_certs(binary_form=True), strict=True)
    kept = [der for about, der in certificates if _organisation(about) in ORGANISATIONS]
    return "".join(sorted(map(ssl.DER_cert_to_PEM_cert, kept)))


def _organisation(certificate: dict[str, Any]) -> str:
    subject = dict(pair for (pair,) in certificate["subject"])
    return str(subject.get("organizationName"))
