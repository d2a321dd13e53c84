"""What the checks in Python share: a server of their own, calls to it, and an authenticator.

Standard library only.
"""

import base64
import hashlib
import hmac
import http.client
import json
import re
import struct
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / "target" / "ci"
DEBUG = ROOT / "target" / "debug" / "mfa-local"


def fail(message):
    sys.exit(f"FAILED: {message}")


def expect(what, seen, wanted):
    if seen != wanted:
        fail(f"{what}: {seen!r} instead of {wanted!r}")
    print(f"  ok  {what}: {wanted}")


def wait_for(what, condition, seconds=30):
    """The first true value of `condition`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    return fail(f"{what}: not within {seconds} s")


class Program:
    """A program that runs until the check ends. What it prints goes to a file of `target/ci/`."""

    def __init__(self, name, *command, **options):
        SCRATCH.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.output = SCRATCH / f"{name}.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options
            )

    def wait_for_line(self, pattern, seconds=30):
        """The first group of `pattern` in what the program prints."""

        def found():
            if self.process.poll() is not None:
                fail(f"{self.name} ended: {self.output.read_text(errors='replace')}")
            return re.search(pattern, self.output.read_text(errors="replace"))

        return wait_for(self.name, found, seconds).group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Local(Program):
    """`mfa-local` on a free port."""

    def __init__(self, name, *options, binary=DEBUG):
        super().__init__(name, binary, "--port", "0", *options)
        self.url = self.wait_for_line(r"Serving the MFA bundle at (http://\S+)")


class Client:
    """One connection that is kept open."""

    def __init__(self, url, timeout=60):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)

    def call(self, method, path, body=None, token=None, **headers):
        """Status and body of the answer."""
        if token:
            headers["authorization"] = f"Bearer {token}"
        if body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(body)
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def ok(self, method, path, body=None, token=None):
        """The body of an answer that must be a success."""
        status, answer = self.call(method, path, body, token)
        if not 200 <= status < 300:
            fail(f"{method} {path} answered {status} {answer}")
        return answer

    def sign_in(self, **claims):
        return self.ok("POST", "/__local/token", claims)["accessToken"]


def totp(secret, unix_seconds):
    """RFC 6238: SHA-1, 6 digits, 30 s."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(unix_seconds) // 30), hashlib.sha1).digest()
    offset = mac[-1] & 15
    number = struct.unpack(">I", mac[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
