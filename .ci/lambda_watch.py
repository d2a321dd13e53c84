#!/usr/bin/env python3
"""Shows that the functions run as Lambda functions: a journey through the HTTP router of `cargo lambda watch`, over all
routes, and every event of events/ by `cargo lambda invoke`, answered as events/expected.json says. The authorizer is
also asked about a route that needs a second factor.
"""

import json
import socket
import subprocess
import sys

from bundle import DEBUG, ROOT, SCRATCH, Client, Program, claims_of, expect, fail, totp

ENV_FILE = SCRATCH / "local.env"
PAYMENT = "POST /payments"
AUTHORIZER_ROUTES = f"{PAYMENT} = mfa max_age=300 methods=totp,email; $default = token"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    ENV_FILE.unlink(missing_ok=True)
    options = ["--services-only", "--port", "0", "--env-file", ENV_FILE]
    options += ["--set", f"MFA_AUTHORIZER_ROUTES={AUTHORIZER_ROUTES}"]
    with Program("services", DEBUG, *options) as services:
        workbench = services.wait_for_line(r"login tokens +(http://[^/\s]+)")
        port = free_port()
        # The same command as in the README, but for its port, and for not watching the sources.
        watch = f"cargo lambda watch --env-file {ENV_FILE} --invoke-address 127.0.0.1 --invoke-port {port}"
        with Program("lambda-watch", *watch.split(), "--ignore-changes", cwd=ROOT) as functions:
            functions.wait_for_line(r"(Runtime server)")
            # The first call of a route lets cargo look whether its function is built.
            proven = journey(Client(workbench), Client(f"http://127.0.0.1:{port}", timeout=180))
            invoke_events(port)
            ask_for_a_payment(port, proven)


def journey(workbench, mfa):
    """Gives the token of a second factor."""
    token = workbench.sign_in(sub="watched", email="watched@example.com")

    def call(method, path, body=None, wanted="200", bearer=True, **headers):
        path = path if path.startswith("/") else f"/auth/mfa/{path}"
        status, answer = mfa.call(method, path, body, token if bearer else None, **headers)
        seen = str(status) if status < 400 else f"{status} {answer['code']}"
        if seen != wanted:
            fail(f"{method} {path} answered {seen} instead of {wanted}: {answer}")
        print(f"  {seen:<26} {method:<6} {path}")
        return answer

    def refresh(refresh_token, wanted="200"):
        return call("POST", "/auth/refresh-token", {"refreshToken": refresh_token}, wanted, bearer=False)

    expect("status", call("GET", "status")["isEnabled"], False)
    secret = call("POST", "setup-totp", {"deviceName": "Pocket phone"})["secret"]
    otp = totp(secret, workbench.ok("GET", "/__local/clock")["unix"])
    call("POST", "verify-totp-setup", {"otp": otp, "secret": secret})
    [device] = call("GET", "devices")
    expect("device", device["deviceName"], "Pocket phone")
    call("POST", "toggle", {"enabled": True})
    recovery_codes = call("POST", "generate-recovery-code")["codes"]
    call("POST", "challenge", {"method": "email"})
    [mail] = workbench.ok("GET", "/__local/inbox")
    tokens = call("POST", "verify", {"method": "email", "otp": mail["code"], "trustDevice": True})
    expect("claim isMfaVerified", claims_of(tokens["accessToken"])["isMfaVerified"], True)
    expect("status", call("GET", "status")["isEnabled"], True)

    refreshed = refresh(tokens["refreshToken"])
    expect("claim isMfaVerified", claims_of(refreshed["accessToken"])["isMfaVerified"], True)
    refresh(refreshed["refreshToken"] + "A", "401 REFRESH_TOKEN_INVALID")

    token = workbench.sign_in(sub="watched", email="watched@example.com")
    call("POST", "verify-trusted-device", wanted="400 MISSING_REQUIRED_FIELD")
    trusted = {"nest_auth_device_trust": tokens["trustToken"]}
    by_device = call("POST", "verify-trusted-device", **trusted)
    expect("claim isMfaVerified", claims_of(by_device["accessToken"])["isMfaVerified"], True)
    call("GET", "trusted-devices", wanted="401 MFA_REQUIRED")
    login, token = token, tokens["accessToken"]
    [device_of_trust] = call("GET", "trusted-devices")
    call("DELETE", f"trusted-devices/{device_of_trust['id']}")
    call("DELETE", f"trusted-devices/{device_of_trust['id']}", wanted="404 MFA_DEVICE_NOT_FOUND")
    token = login
    call("POST", "verify-trusted-device", wanted="404 MFA_DEVICE_NOT_FOUND", **trusted)
    expect("key set", call("GET", "/.well-known/jwks.json", bearer=False), {"keys": []})

    token = call("POST", "verify-recovery-code", {"code": recovery_codes[0]})["accessToken"]
    call("DELETE", f"devices/{device['id']}")
    call("POST", "reset-totp", {"code": recovery_codes[1]})
    expect("status", call("GET", "status")["isEnabled"], False)
    return tokens["accessToken"]


def invoke(port, name, *data):
    """The answer of a function to an event."""
    command = f"cargo lambda invoke {name} --output-format json --invoke-address 127.0.0.1 --invoke-port {port}"
    ran = subprocess.run([*command.split(), *data], cwd=ROOT, capture_output=True, text=True, timeout=180)
    if ran.returncode:
        fail(f"cargo lambda invoke {name}: {ran.stderr or ran.stdout}")
    return json.loads(ran.stdout)


def invoke_events(port):
    wanted = json.loads((ROOT / "events" / "expected.json").read_text())
    for name, answer in wanted.items():
        got = invoke(port, name, "--data-file", f"events/{name}.json")
        if name == "authorizer":
            seen = {"isAuthorized": got["isAuthorized"]}
        else:
            # In a success `code` is a field like any other.
            code = json.loads(got["body"])["code"] if got["statusCode"] >= 400 else None
            seen = {"statusCode": got["statusCode"]} | ({"code": code} if code else {})
        expect(f"cargo lambda invoke {name}", seen, answer)


def ask_for_a_payment(port, proven):
    """The sample event again, for a route that needs a second factor: by the login token, and by a proven one."""
    event = json.loads((ROOT / "events" / "authorizer.json").read_text())
    method, path = PAYMENT.split()
    event["routeKey"] = event["requestContext"]["routeKey"] = PAYMENT
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    login = event["headers"]["authorization"]
    for who, token, wanted in (("login", login, False), ("proven", f"Bearer {proven}", True)):
        event["headers"]["authorization"] = token
        event["identitySource"] = [token, PAYMENT]
        answer = invoke(port, "authorizer", "--data-ascii", json.dumps(event))
        expect(f"{PAYMENT} by a {who} token", answer["isAuthorized"], wanted)
    context = answer["context"]
    expect("its context", [context["sub"], context["method"], context["amr"]], ["watched", "email", ["mfa"]])


if __name__ == "__main__":
    sys.exit(main())
