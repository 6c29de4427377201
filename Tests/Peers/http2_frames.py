"""A client that breaks HTTP/2 one rule at a time, and keeps some that servers forget, frame by frame (RFC 9113, RFC 7541).

    http2_frames.py PORT [NAME...]      plain text with prior knowledge, on loopback

It takes a server that answers GET / at once with 200 and at least 64 bytes, and POST / when the whole body is there.
Prints a line for each case: `NAME ok`, or `NAME failed: WHY`. A stream error has to leave the connection usable.
"""
import sys

import http2_kinds  # noqa: F401
import http2_requests  # noqa: F401
from http2_peer import CASES, Client, Wrong
from http2_streams import BEFORE_THE_PREFACE


def main(port, *names):
    """Runs the cases, each on a connection of its own."""
    everything = CASES | {one.__name__: one for one in BEFORE_THE_PREFACE}
    for name in names or everything:
        one = everything[name]
        try:
            one(int(port) if one in BEFORE_THE_PREFACE else Client(int(port)))
            print(name, "ok", flush=True)
        except (Wrong, OSError) as why:
            print(name, f"failed: {type(why).__name__}: {why}"[:300], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
