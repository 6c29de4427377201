"""What is spoken on either side of a proxy, and certificates for it, made when they are needed."""
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.programs import BENCH_HOST

OPENSSL_SECONDS = 60
VALID_DAYS = 30
# One choice for everybody, as servers prefer different ones. Clients offer nothing else.
TLS_VERSION, CIPHER, GROUP = "TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519"
KEYS = {"ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}


@dataclass(frozen=True)
class Protocols:
    """`certificate` is a key of KEYS, or None for plain text; HTTP/2 is chosen by ALPN, or known before in plain text.

    Upstreams are always spoken to in plain text. With `grpc`, which takes HTTP/2 on both sides, they are gRPC services.
    """

    certificate: str | None = None
    http2: bool = False
    upstream_http2: bool = False
    grpc: bool = False

    @property
    def scheme(self):
        """Of the URLs that clients use."""
        return "https" if self.certificate else "http"

    @property
    def alpn(self):
        """What a TLS client of this row asks for."""
        return "h2" if self.http2 else "http/1.1"


PLAIN = Protocols()


@dataclass(frozen=True)
class Certificate:
    """The files of a self-signed certificate for BENCH_HOST."""

    chain: Path
    key: Path

    @classmethod
    def made(cls, kind, directory):
        """Makes it, once for a directory."""
        made = cls(directory / f"{kind}.crt", directory / f"{kind}.key")
        if not made.chain.exists():
            subprocess.run(["openssl", "req", "-x509", *KEYS[kind], "-nodes", "-days", str(VALID_DAYS), "-subj",
                            f"/CN={BENCH_HOST}", "-addext", f"subjectAltName=DNS:{BENCH_HOST}", "-keyout", made.key,
                            "-out", made.chain], check=True, capture_output=True, timeout=OPENSSL_SECONDS)
        return made

    def joined(self, target):
        """Both in one file, the way HAProxy reads them."""
        target.write_bytes(self.chain.read_bytes() + self.key.read_bytes())
        return target
