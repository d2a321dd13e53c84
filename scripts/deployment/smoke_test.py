"""Calls every route of a deployed API and prints a line for each call."""

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import struct
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime

from .aws import AwsError, Failure, aws

USER = "mfa-smoke-test"
NO_DEVICE, NO_ID = "00000000-0000-4000-8000-000000000000", "AAAAAAAAAAAAAAAAAAAAAA"
OFF = "403 MFA_NOT_ENABLED"  # with MFA_ENABLED=false
GATED = ["401 MFA_REQUIRED", OFF]
# Each takes a call of the AWS CLI. The first say enough.
LOGS_SHOWN = 5

# These routes read no token: method, path, body, and the answers that are right.
OPEN = [
    ("POST", "/auth/refresh-token", {"refreshToken": "none"}, ["401 REFRESH_TOKEN_INVALID", OFF]),
    ("GET", "/.well-known/jwks.json", None, ["200"]),
    ("GET", "/.well-known/openid-configuration", None, ["200", "404 NOT_FOUND"]),
]

# Calls that change nothing, also for a user with MFA, and the answers that are right with a token.
HARMLESS = [
    ("GET", "/auth/mfa/status", None, ["200"]),
    ("GET", "/auth/mfa/devices", None, ["200", OFF]),
    ("PATCH", f"/auth/mfa/devices/{NO_DEVICE}", {}, ["400 MISSING_REQUIRED_FIELD"]),
    ("DELETE", f"/auth/mfa/devices/{NO_DEVICE}", None, ["404 MFA_DEVICE_NOT_FOUND", *GATED]),
    ("POST", "/auth/mfa/toggle", {}, ["400 MISSING_REQUIRED_FIELD"]),
    ("POST", "/auth/mfa/challenge", {}, ["400 MISSING_REQUIRED_FIELD"]),
    ("POST", "/auth/mfa/setup-totp", {"deviceName": 7}, ["400 INVALID_INPUT"]),
    ("POST", "/auth/mfa/verify-totp-setup", {}, ["400 MISSING_REQUIRED_FIELD"]),
    ("POST", "/auth/mfa/verify", {}, ["400 MISSING_REQUIRED_FIELD"]),
    ("POST", "/auth/mfa/setup-passkey", {"deviceName": 7}, ["400 INVALID_INPUT"]),
    ("POST", "/auth/mfa/verify-passkey-setup", {}, ["400 MISSING_REQUIRED_FIELD"]),
    ("POST", "/auth/mfa/challenge-passkey", None, ["200", "400 MFA_METHOD_NOT_AVAILABLE", OFF]),
    ("POST", "/auth/mfa/verify-passkey", {}, ["400 MISSING_REQUIRED_FIELD"]),
    ("POST", "/auth/mfa/generate-recovery-code", [], ["400 INVALID_INPUT"]),
    ("POST", "/auth/mfa/verify-recovery-code", {}, ["400 MISSING_REQUIRED_FIELD"]),
    ("POST", "/auth/mfa/reset-totp", {}, ["400 MISSING_REQUIRED_FIELD"]),
    ("POST", "/auth/mfa/verify-trusted-device", None, ["400 MISSING_REQUIRED_FIELD", OFF]),
    ("GET", "/auth/mfa/trusted-devices", None, ["200", *GATED]),
    ("DELETE", f"/auth/mfa/trusted-devices/{NO_ID}", None, ["404 MFA_DEVICE_NOT_FOUND", *GATED]),
    ("GET", "/auth/mfa/sessions", None, ["200", *GATED]),
    ("DELETE", f"/auth/mfa/sessions/{NO_ID}", None, ["404 SESSION_NOT_FOUND", *GATED]),
]


class SmokeTest:
    """The calls to one API, and how many of them were answered otherwise than documented."""

    def __init__(self, url, log_group):
        self.url = url.rstrip("/")
        self.log_group = log_group
        self.calls = self.failed = 0
        # What to look for in the log, and a call that it says something about.
        self.unexplained = {}
        self.now = time.time()

    def run(self, token, is_ours):
        """Every route without a token, every route with one, and a whole journey if the user is ours."""
        self.wait()
        for method, path, body, wanted in OPEN:
            self.call(method, path, body, wanted)
        for method, path, body, _ in HARMLESS:
            self.call(method, path, body, ["401 NO_AUTH_PROVIDED"])
        for method, path, body, wanted in HARMLESS + OPEN if token else []:
            self.call(method, path, body, wanted, token)
        if token and is_ours:
            self.journey(token)
        if not token:
            print("  Only this half can be tried without a token. Give one of your login with --token-file.")
        self.show_logs()
        print(f"{self.calls - self.failed} of {self.calls} calls were answered as documented.")
        return not self.failed

    def wait(self):
        """Waits for a new API, whose routes answer 404 for some seconds. Stops if nothing answers at all."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            status, _, reply = self.send("GET", "/.well-known/jwks.json", None, {})
            if status == 200:
                return
            time.sleep(2)
        if status == "no answer":
            why = reply["message"]
            raise Failure(f"{self.url} does not answer: {why}. Is this address right, and reachable from here?")

    def send(self, method, path, body, headers):
        """Status, headers and body of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=35) as answer:
                status, told, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, told, text = error.code, error.headers, error.read()
        # What answers without TLS or HTTP is no API either.
        except (OSError, http.client.HTTPException) as error:
            message = str(getattr(error, "reason", error)).strip()
            status, told, text = "no answer", {}, json.dumps({"message": message}).encode()
        try:
            return status, told, json.loads(text)
        except ValueError:
            return status, told, {"message": text.decode(errors="replace")[:200]}

    def call(self, method, path, body=None, wanted=("200",), token=None, **headers):
        """The body of an answer, or {} if it is not a 200. Prints what was seen."""
        headers["content-type"] = "application/json"
        if token:
            headers["authorization"] = f"Bearer {token}"
        status, told, reply = self.send(method, path, body, headers)
        # The clock of this machine may be wrong.
        if told.get("date"):
            self.now = parsedate_to_datetime(told["date"]).timestamp()
        code = reply.get("code") if isinstance(reply, dict) and status != 200 else None
        seen = f"{status} {code}" if code else str(status)
        self.calls += 1
        line = f"{seen:30} {method:6} {path} ({'with' if token else 'without'} a token)"
        if seen in wanted:
            print(f"  ok   {line}")
            return reply if status == 200 else {}
        self.failed += 1
        message = reply.get("message") if isinstance(reply, dict) else reply
        print(f"  FAIL {line}\n       instead of {' or '.join(wanted)}: {message}")
        request_id = told.get("x-request-id")
        # A function that did not start leaves lines without the id.
        pattern = f'"{request_id}"' if request_id else "?error ?ERROR ?panicked ?MFA_"
        self.unexplained.setdefault(pattern, f"{method} {path}")
        return {}

    def show_logs(self):
        """The log lines of the calls that failed. It waits once for all of them."""
        if not self.unexplained or not self.log_group:
            return
        patterns = list(self.unexplained)[:LOGS_SHOWN]
        print(f"What the log ({self.log_group}) says of the first calls that failed:")
        try:
            # A line shows some seconds after its request, and that of a later request after it.
            for _ in range(5):
                if self.lines_of(patterns[-1]):
                    break
                time.sleep(2)
            for pattern in patterns:
                print(f"  {self.unexplained[pattern]}: {self.lines_of(pattern) or f'no line yet for {pattern}'}")
        except AwsError as error:
            print(f"  {error}")

    def lines_of(self, pattern):
        """The last log lines that match."""
        where = ["--log-group-name", self.log_group, "--start-time", str(int((time.time() - 300) * 1000))]
        events = aws("logs", "filter-log-events", *where, "--filter-pattern", pattern)["events"]
        lines = [event["message"].strip() for event in events]
        # Lambda has lines of its own for each request.
        return " | ".join(([line for line in lines if '"level"' in line] or lines)[-3:])

    def journey(self, login_token):
        """Sets up an authenticator, passes the second factor with it, and takes everything back."""
        made = self.call("POST", "/auth/mfa/generate-recovery-code", None, ["200", OFF], login_token)
        if not made:
            return
        try:
            self.pass_second_factor(login_token, made["codes"][0])
        finally:
            body = {"code": made["codes"][1]}
            is_reset = self.call("POST", "/auth/mfa/reset-totp", body, token=login_token)
            off = ["200", "403 MFA_TOGGLING_NOT_ALLOWED"]
            self.call("POST", "/auth/mfa/toggle", {"enabled": False}, off, login_token)
        if is_reset:
            print(f"  {USER} has no factor, session or trusted device left, only an empty record in the table.")

    def pass_second_factor(self, login_token, recovery_code):
        body = {"code": recovery_code, "trustDevice": True}
        proven = self.call("POST", "/auth/mfa/verify-recovery-code", body, token=login_token)
        token = proven.get("accessToken", login_token)
        offered = ["200", "400 MFA_METHOD_NOT_AVAILABLE"]
        device = self.call("POST", "/auth/mfa/setup-totp", {"deviceName": "Smoke test"}, offered, token)
        if device:
            # The codes of the step before and of this step both count, so nobody has to wait for the next.
            first, second = (totp(device["secret"], self.now - age) for age in (30, 0))
            body = {"otp": first, "secret": device["secret"]}
            self.call("POST", "/auth/mfa/verify-totp-setup", body, token=token)
            self.call("POST", "/auth/mfa/challenge", {"method": "totp"}, token=token)
            body = {"method": "totp", "otp": second, "trustDevice": True}
            proven = self.call("POST", "/auth/mfa/verify", body, token=token) or proven
            token = proven.get("accessToken", token)
        # There is none with MFA_TRUSTED_DEVICES=false.
        if trust := proven.get("trustToken"):
            headers = {"nest_auth_device_trust": trust}
            self.call("POST", "/auth/mfa/verify-trusted-device", token=login_token, **headers)
            for trusted in self.call("GET", "/auth/mfa/trusted-devices", token=token):
                self.call("DELETE", f"/auth/mfa/trusted-devices/{trusted['id']}", token=token)
        if refresh := proven.get("refreshToken"):
            body = {"refreshToken": refresh}
            # It is always refused with MFA_SESSIONS=false.
            self.call("POST", "/auth/refresh-token", body, ["200", "401 REFRESH_TOKEN_INVALID"])
        if device:
            path, last = f"/auth/mfa/devices/{device['deviceId']}", "409 MFA_LAST_METHOD"
            self.call("DELETE", path, None, ["200", last], token)
        self.call("DELETE", "/auth/mfa/sessions/current", None, ["200", "404 SESSION_NOT_FOUND"], token)


def totp(secret, now):
    """A code of an authenticator app (RFC 6238)."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(now) // 30), hashlib.sha1).digest()
    number = struct.unpack_from(">I", mac, mac[-1] & 15)[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def login_token(secret, parameters, settings):
    """A token as the login signs one, for a user of our own. It lives five minutes."""
    now, name = int(time.time()), secrets.token_hex(8)
    claims = {"sub": USER, "type": "access", "iat": now - 5, "exp": now + 300}
    claims.update(sid=name, sessionId=name, session_id=name)
    if claim := settings.get("MFA_JWT_USER_CLAIM"):
        claims[claim] = USER
    for claim in filter(None, settings.get("MFA_JWT_LOGIN_CLAIM", "").split(",")):
        claims.setdefault(claim.strip(), name)
    if parameters.get("JwtIssuer"):
        claims["iss"] = parameters["JwtIssuer"]
    # That of Supabase, if no other one is set.
    claims["aud"] = (parameters.get("JwtAudience") or "authenticated").split(",")[0]
    algorithm = settings.get("MFA_JWT_ALGORITHM") or "HS256"

    def encoded(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    header = {"alg": algorithm, "typ": "JWT"}
    text = b".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    mac = hmac.new(secret.encode(), text, algorithm.replace("HS", "sha")).digest()
    return (text + b"." + encoded(mac)).decode()
