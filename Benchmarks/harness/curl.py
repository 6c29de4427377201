"""Single requests in any protocol, by curl."""
import re
import subprocess
import tempfile
from dataclasses import dataclass

from harness import programs
from harness.protocols import PLAIN, Protocols

SECONDS = 5
GRPC_STATUS = re.compile(rb"^grpc-status: *(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Request:
    """What to ask for, whatever the protocol. A request with a body is a POST."""

    path: str = "/"
    body: bytes = b""
    headers: tuple = ()


def fetch(port, request, protocols=PLAIN):
    """Status, body and gRPC status (None without) of a request on a fresh connection to the loopback address.

    Raises OSError when there was no answer, or one in another version of HTTP.
    """
    version = "--http1.1"
    if protocols.http2:
        version = "--http2" if protocols.certificate else "--http2-prior-knowledge"
    command = [programs.which("curl"), "--silent", "--show-error", "--max-time", str(SECONDS), version,
               "--insecure",  # the certificate is a test's own
               "--connect-to", f"::127.0.0.1:{port}", "--write-out", "%{stderr}%{http_code} %{http_version}",
               *(["--data-binary", "@-"] if request.body else [])]
    for name, value in request.headers:
        command += ["--header", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile() as fields:  # trailers come there too
        done = subprocess.run(
            [*command, "--dump-header", fields.name, f"{protocols.scheme}://{programs.BENCH_HOST}{request.path}"],
            input=request.body, capture_output=True, timeout=SECONDS + 1)
        grpc_status = GRPC_STATUS.search(fields.read())
    said = done.stderr.decode(errors="replace")
    if done.returncode != 0:
        raise OSError(said)
    status, spoken = said.split()
    if spoken != ("2" if protocols.http2 else "1.1"):
        raise OSError(f"answered in HTTP/{spoken}")
    return int(status), done.stdout, grpc_status and int(grpc_status[1])


class HTTP2Backend(programs.Backend):
    """The origin behind proxies that speak HTTP/2 to it."""

    source, libraries = "backend_h2.c", ("-lnghttp2",)

    def ask(self, path):
        """Status and body of one request."""
        return fetch(self.port, Request(path), Protocols(http2=True))[:2]
