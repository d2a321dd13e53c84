#!/usr/bin/env python3
"""Writes events/: for each function the event that API Gateway (HTTP API, payload 2.0) hands it, and what it answers.

Of the authorizer `expected.json` has what the gateway is told, of all others status and error code.

The same bytes every time; `--check` only compares. Standard library only.
"""

import base64
import hashlib
import hmac
import json
import sys
from pathlib import Path

# MFA_JWT_SECRET of development. Everybody knows it, and only a table on this machine is served with it.
SECRET = b"mfa-development-secret-known-to-everybody"

SIGNED_IN_AT = 1767225600  # 2026-01-01T00:00:00Z
EXPIRES_AT = 4102444800  # 2100-01-01T00:00:00Z
SESSION = "5e551011-0000-4000-8000-000000000001"
DOMAIN = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

# The secret of a set-up that nobody opened.
UNKNOWN_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

# A recovery code that nobody was given.
UNKNOWN_RECOVERY_CODE = "0123-4567-89AB-CDEF-GHJK-MNPQ"

# The refresh token of a session that nobody opened, and the trust token of a device that nobody trusts.
UNKNOWN_REFRESH_TOKEN = f"mfa_{'A' * 22}.1.{'A' * 43}"
UNKNOWN_TRUST_TOKEN = f"mfat_{'A' * 43}"

# A route of the application that the configuration does not name: a valid token opens it.
APPLICATION_ROUTE = ("GET", "/reports")

# name: (method, path, body, what it answers on an empty table)
EVENTS = {
    "status": ("GET", "/auth/mfa/status", None, (200, None)),
    "list-devices": ("GET", "/auth/mfa/devices", None, (200, None)),
    "toggle": ("POST", "/auth/mfa/toggle", {"enabled": True}, (200, None)),
    "challenge": ("POST", "/auth/mfa/challenge", {"method": "email"}, (200, None)),
    "setup-totp": ("POST", "/auth/mfa/setup-totp", {"deviceName": "Pocket phone"}, (200, None)),
    "verify-totp-setup": (
        "POST",
        "/auth/mfa/verify-totp-setup",
        {"otp": "123456", "secret": UNKNOWN_SECRET},
        (400, "MFA_CODE_INVALID"),
    ),
    "verify": (
        "POST",
        "/auth/mfa/verify",
        {"method": "email", "otp": "123456"},
        (400, "VERIFICATION_CODE_INVALID"),
    ),
    "remove-device": ("DELETE", "/auth/mfa/devices/{deviceId}", None, (404, "MFA_DEVICE_NOT_FOUND")),
    "generate-recovery-code": ("POST", "/auth/mfa/generate-recovery-code", None, (200, None)),
    "verify-recovery-code": (
        "POST",
        "/auth/mfa/verify-recovery-code",
        {"code": UNKNOWN_RECOVERY_CODE},
        (400, "MFA_RECOVERY_CODE_INVALID"),
    ),
    "reset-totp": ("POST", "/auth/mfa/reset-totp", {"code": UNKNOWN_RECOVERY_CODE}, (400, "MFA_RECOVERY_CODE_INVALID")),
    "refresh-token": (
        "POST",
        "/auth/refresh-token",
        {"refreshToken": UNKNOWN_REFRESH_TOKEN},
        (401, "REFRESH_TOKEN_INVALID"),
    ),
    "verify-trusted-device": ("POST", "/auth/mfa/verify-trusted-device", None, (404, "MFA_DEVICE_NOT_FOUND")),
    "list-trusted-devices": ("GET", "/auth/mfa/trusted-devices", None, (200, None)),
    "revoke-trusted-device": ("DELETE", "/auth/mfa/trusted-devices/{id}", None, (404, "MFA_DEVICE_NOT_FOUND")),
    "jwks": ("GET", "/.well-known/jwks.json", None, (200, None)),
}

# Those that are called without a login token.
WITHOUT_LOGIN = {"refresh-token", "jwks"}

# What further headers a call has.
HEADERS = {"verify-trusted-device": {"nest_auth_device_trust": UNKNOWN_TRUST_TOKEN}}

# What stands in a path in place of its parameter.
PARAMETERS = {"deviceId": "4b3c9c9c-9a9d-4d1e-8d9f-123456789abc", "id": "A" * 22}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def login_token(name, number):
    """The token of an application's login. Each event has a user of its own, so that none changes another's answer."""
    claims = {
        "sub": f"event-{name}",
        "email": f"{name}@example.com",
        "phone": f"+1202555{100 + number:04}",
        "type": "access",
        "sessionId": SESSION,
        "iat": SIGNED_IN_AT,
        "exp": EXPIRES_AT,
    }
    header = {"alg": "HS256", "typ": "JWT"}
    signed = ".".join(base64url(compact(part).encode()) for part in (header, claims))
    signature = hmac.new(SECRET, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64url(signature)}"


def event(name, number, method, route, body):
    parameters = {key: value for key, value in PARAMETERS.items() if f"{{{key}}}" in route}
    path = route.format(**parameters)
    text = None if body is None else compact(body)
    source_ip = f"203.0.113.{10 + number}"
    headers = {
        "accept": "application/json",
        "authorization": f"Bearer {login_token(name, number)}",
        "content-length": str(len(text or "")),
        "host": DOMAIN,
        "user-agent": USER_AGENT,
        "x-amzn-trace-id": f"Root=1-6955b900-{number:024x}",
        "x-forwarded-for": source_ip,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    } | HEADERS.get(name, {})
    if name in WITHOUT_LOGIN:
        del headers["authorization"]
    if text is not None:
        headers["content-type"] = "application/json"
    made = {
        "version": "2.0",
        "routeKey": f"{method} {route}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": dict(sorted(headers.items())),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": DOMAIN.split(".")[0],
            "domainName": DOMAIN,
            "domainPrefix": DOMAIN.split(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
                "userAgent": USER_AGENT,
            },
            "requestId": f"JKJaXmPLvHcES{number:02}=",
            "routeKey": f"{method} {route}",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": SIGNED_IN_AT * 1000,
        },
        "isBase64Encoded": False,
    }
    if parameters:
        made["pathParameters"] = parameters
    if text is not None:
        made["body"] = text
    return made


def authorizer_event(name, number):
    """What the gateway asks the authorizer: a call without its body, and what it finds at the identity sources."""
    method, route = APPLICATION_ROUTE
    call = event(name, number, method, route, None)
    asked = {"version": "2.0", "type": "REQUEST"}
    api, account = call["requestContext"]["apiId"], call["requestContext"]["accountId"]
    asked["routeArn"] = f"arn:aws:execute-api:us-east-1:{account}:{api}/$default/{method}{route}"
    asked["identitySource"] = [call["headers"]["authorization"], call["routeKey"]]
    return asked | {key: value for key, value in call.items() if key not in ("version", "isBase64Encoded")}


def files():
    expected = {}
    for number, (name, (method, route, body, (status, code))) in enumerate(EVENTS.items()):
        yield f"{name}.json", event(name, number, method, route, body)
        expected[name] = {"statusCode": status} if code is None else {"statusCode": status, "code": code}
    yield "authorizer.json", authorizer_event("authorizer", len(EVENTS))
    expected["authorizer"] = {"isAuthorized": True}
    yield "expected.json", expected


def main():
    folder = Path(__file__).resolve().parent.parent / "events"
    made = {folder / name: json.dumps(content, indent=2) + "\n" for name, content in files()}
    if "--check" in sys.argv:
        stale = [path.name for path, text in made.items() if not path.exists() or path.read_text() != text]
        stale += [path.name for path in folder.iterdir() if path not in made]
        if stale:
            sys.exit(f"events/ is not what .ci/make_events.py writes: {', '.join(sorted(stale))}")
        print(f"{len(made)} files are as written")
        return
    folder.mkdir(exist_ok=True)
    for path, text in made.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
