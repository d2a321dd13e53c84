"""Shows that the functions run as Lambda functions.

A journey goes through the HTTP router of `cargo lambda watch` over all routes. Then
`cargo lambda invoke` sends every event of events/, which must be answered as events/expected.json
says. Finally, the authorizer is asked about a route that needs a second factor.
"""

import json
import socket
import subprocess

import pytest
from kit import ROOT, SCRATCH, Client, Program, Services, claims_of, expect, fail, totp

ENV_FILE = SCRATCH / "local.env"
EXPECTED = json.loads((ROOT / "events" / "expected.json").read_text())
PAYMENT = "POST /payments"
# The one event that the function of another serves.
SERVED_BY = {"openid-configuration": "jwks"}
AUTHORIZER_ROUTES = f"{PAYMENT} = mfa max_age=300 methods=totp,email; $default = token"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def workbench():
    with Services("services-for-watch", ENV_FILE, "--set", f"MFA_AUTHORIZER_ROUTES={AUTHORIZER_ROUTES}") as services:
        yield Client(services.url)


@pytest.fixture(scope="module")
def port(workbench):
    """The port of `cargo lambda watch`."""
    port = free_port()
    # The command of the README, with another port, and without watching the sources.
    watch = f"cargo lambda watch --env-file {ENV_FILE} --invoke-address 127.0.0.1 --invoke-port {port}"
    with Program("lambda-watch", *watch.split(), "--ignore-changes", cwd=ROOT) as functions:
        functions.wait_for_line(r"(Runtime server)")
        yield port


@pytest.fixture(scope="module")
def proven(workbench, port):
    """A token that proves a second factor, from a journey over all routes."""
    # On the first call of a route, cargo checks whether its function is built.
    return journey(workbench, Client(f"http://127.0.0.1:{port}", timeout=180))


def test_a_journey_over_all_routes_ends_with_a_proof(proven):
    assert claims_of(proven)["isMfaVerified"]


def journey(workbench, mfa):
    """Makes a journey over all routes, and returns a token that proves a second factor."""
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
    call("PATCH", f"devices/{device['id']}", {"deviceName": "New phone"})
    expect("name", call("GET", "devices")[0]["deviceName"], "New phone")
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


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_a_function_answers_its_sample_event(port, name, expected):
    got = invoke(port, SERVED_BY.get(name, name), "--data-file", f"events/{name}.json")
    if name == "authorizer":
        seen = {"isAuthorized": got["isAuthorized"]}
    else:
        # In a success, `code` is not the code of an error.
        code = json.loads(got["body"])["code"] if got["statusCode"] >= 400 else None
        seen = {"statusCode": got["statusCode"]} | ({"code": code} if code else {})
    assert seen == expected


def test_the_authorizer_lets_a_payment_through_only_with_a_second_factor(port, proven):
    """Sends the sample event for a route that needs a second factor, with and without a proof."""
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
