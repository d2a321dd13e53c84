"""What the checks in Python share: programs that run as long as a check does, calls to them, and
an authenticator.

Standard library only. A failure is an AssertionError with a message that says what was seen.
"""

import base64
import hashlib
import hmac
import http.client
import json
import re
import struct
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / "target" / "ci"
DEBUG = ROOT / "target" / "debug" / "mfa-local"
RELEASE = ROOT / "target" / "lambda" / "mfa-local" / "bootstrap"


def fail(message):
    raise AssertionError(message)


def expect(what, seen, wanted):
    assert seen == wanted, f"{what}: {seen!r} instead of {wanted!r}"
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
    """A program that runs until its `with` block ends. It prints to a file of `target/ci/`."""

    def __init__(self, name, *command, **options):
        SCRATCH.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = SCRATCH / f"{name}.log"
        words = [str(word) for word in command]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)

    def output(self):
        return self.log.read_text(errors="replace")

    def wait_for_line(self, pattern, seconds=30):
        """The first group of `pattern` in what the program prints."""

        def found():
            if self.process.poll() is not None:
                fail(f"{self.name} ended: {self.output()}")
            return re.search(pattern, self.output())

        try:
            return wait_for(self.name, found, seconds).group(1)
        except BaseException:
            # Without this, a program that never gets ready would outlive the check.
            self.end()
            raise

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Local(Program):
    """`mfa-local` on a free port."""

    def __init__(self, name, *options, binary=DEBUG):
        super().__init__(name, binary, "--port", "0", *options)
        self.url = self.wait_for_line(r"Serving the MFA bundle at (http://\S+)")


class Services(Program):
    """`mfa-local` for functions that run elsewhere. It writes their environment to `env_file`."""

    def __init__(self, name, env_file, *options, binary=DEBUG):
        # An old file would be read before the program writes the new one.
        env_file.unlink(missing_ok=True)
        command = [binary, "--services-only", "--port", "0", "--env-file", env_file, *options]
        super().__init__(name, *command)
        self.env_file = env_file
        self.url = self.wait_for_line(r"login tokens +(http://[^/\s]+)")


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

    # The following are calls to the workbench of `mfa-local`.

    def sign_in(self, **claims):
        return self.ok("POST", "/__local/token", claims)["accessToken"]

    def now(self):
        return self.ok("GET", "/__local/clock")["unix"]

    def codes_for(self, address):
        """The codes that arrived at an e-mail address or phone number, oldest first."""
        inbox = self.ok("GET", "/__local/inbox")
        return [message["code"] for message in inbox if message["to"] == address and message.get("code")]


def turn_mfa_on(mfa, token, unix_seconds):
    """Sets up and confirms an authenticator and turns MFA on. Returns the authenticator's secret."""
    secret = mfa.ok("POST", "/auth/mfa/setup-totp", {}, token)["secret"]
    confirmation = {"otp": totp(secret, unix_seconds), "secret": secret}
    mfa.ok("POST", "/auth/mfa/verify-totp-setup", confirmation, token)
    mfa.ok("POST", "/auth/mfa/toggle", {"enabled": True}, token)
    return secret


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
