"""Shows that the local server answers as docs/openapi.yaml describes.

First come a valid call of every operation and the refusals that all operations share. Then
Schemathesis makes up calls, valid and invalid ones: without a caller, by people who signed in, and
by people who passed a second factor (callers.py).
"""

import os
import subprocess
from pathlib import Path

import pytest
import requests
import schemathesis
from callers import code_of, sign_in
from kit import ROOT, SCRATCH, Local, expect
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response

DESCRIPTION = ROOT / "docs" / "openapi.yaml"
KEYS = ROOT / "tests" / "it" / "keys"

# Each check, and the change to a right answer that the check must find.
FAULTS = {
    "not_a_server_error": {"status_code": 500},
    "status_code_conformance": {"status_code": 418},
    "content_type_conformance": {"headers": {"content-type": ["text/html"]}},
    "response_headers_conformance": {"headers": {"cache-control": ["public"]}},
    "response_schema_conformance": {"content": b'{"isEnabled":"yes"}'},
}
# Only for made-up calls: invalid input and other methods are refused.
MORE_CHECKS = ["negative_data_rejection", "unsupported_method", "allow_header_conformance"]


class Described:
    """A server, and the description that its answers are compared with."""

    def __init__(self, url):
        self.url = url
        operations = [found.ok() for found in schemathesis.openapi.from_path(DESCRIPTION).get_all_operations()]
        self.operations = {operation.definition.raw["operationId"]: operation for operation in operations}
        self.called = {}

    def right(self, name, token=None, path=None, headers=None, **body):
        """The body of an answer that must be 200 and as described."""
        parts = {"path_parameters": path, "headers": headers} | ({"body": body} if body else {})
        case = self.operations[name].Case(**parts)
        answer = case.call(self.url, headers={"authorization": f"Bearer {token}"} if token else None)
        expect(name, answer.status_code, 200)
        case.validate_response(answer, checks=CHECKS.get_by_names(list(FAULTS)))
        self.called[name] = case, answer
        return answer.json()

    def refusals(self, name):
        """Compares answers that Schemathesis does not: to another method, a long body, and a body
        that is not JSON."""
        case = self.operations[name].Case(path_parameters={"deviceId": "x", "id": "x"})
        wrong = [(405, "PUT", None), (413, case.method, "x" * 9000), (415, case.method, "x")]
        for status, method, body in wrong if case.method in ("POST", "PATCH") else wrong[:2]:
            answer = requests.request(method, self.url + case.formatted_path, data=body)
            expect(f"{method} {name}", answer.status_code, status)
            case.validate_response(answer, checks=CHECKS.get_by_names(list(FAULTS)))


@pytest.fixture(scope="module")
def server(local, mfa):
    """The description of the server, with a right call of every operation."""
    described = Described(local.url)
    right_calls(described, mfa)
    return described


def right_calls(server, client):
    right = server.right
    login = sign_in(client, "right-calls")
    setup = right("setup-totp", login, deviceName="Phone")
    right("verify-totp-setup", login, otp=code_of(client, setup), secret=setup["secret"])
    right("toggle", login, enabled=True)
    codes = right("generate-recovery-code", login)["codes"]
    right("status", login)
    right("list-devices", login)
    right("challenge", login, method="email")
    # Notices have none.
    [code] = [mail["code"] for mail in client.ok("GET", "/__local/inbox") if mail.get("code")][-1:]
    verified = right("verify", login, method="email", otp=code, trustDevice=True)
    right("verify-trusted-device", login, headers={"nest_auth_device_trust": verified["trustToken"]})
    token = right("refresh-token", refreshToken=verified["refreshToken"])["accessToken"]
    [trusted] = right("list-trusted-devices", token)
    right("revoke-trusted-device", token, {"id": trusted["id"]})
    assert any(session["current"] for session in right("list-sessions", token))
    right("rename-device", token, {"deviceId": setup["deviceId"]}, deviceName="New phone")
    right("remove-device", token, {"deviceId": setup["deviceId"]})
    right("end-session", token, {"id": "current"})
    right("verify-recovery-code", login, code=codes[0], rememberDevice=True)
    right("reset-totp", login, code=codes[1])
    expect("keys with HS256", right("jwks"), {"keys": []})


def test_every_operation_has_a_right_call_that_is_answered_as_described(server):
    # Without an issuer of our own, that document does not exist. The next test calls it. Passkeys take a
    # browser: test_passkeys.py has one.
    elsewhere = {"openid-configuration", "setup-passkey", "verify-passkey-setup", "challenge-passkey", "verify-passkey"}
    assert server.operations.keys() == server.called.keys() | elsewhere


@pytest.mark.parametrize("name", ["ec", "ed", "rsa"])
def test_the_public_key_is_published(name):
    private = KEYS / f"{name}.pem"
    # The login has another key: with ours, nobody could tell its tokens from ours.
    algorithm, login = ("EdDSA", "ed") if name == "ec" else ("ES256", "ec")
    settings = {"ALGORITHM": algorithm, "PUBLIC_KEY": (KEYS / f"{login}.pub.pem").read_text()}
    options = [f"--set=MFA_JWT_{setting}={value}" for setting, value in settings.items()]
    issuer = "https://mfa.example.com"
    options += [f"--set=MFA_SIGNING_KEY={private.read_text()}", f"--set=MFA_ISSUER={issuer}"]
    with Local("mfa-local-with-keys", *options) as local:
        described = Described(local.url)
        assert len(described.right("jwks")["keys"]) == 1
        assert described.right("openid-configuration")["issuer"] == issuer


@pytest.mark.parametrize(("check", "fault"), FAULTS.items())
def test_each_check_finds_a_wrong_answer(server, check, fault):
    case, answer = server.called["status"]
    parts = {"status_code": answer.status_code, "content": answer.content, "headers": {}} | fault
    parts["headers"] = answer.headers | parts["headers"]
    wrong = Response(**parts, request=answer.request, elapsed=0, verify=True)
    with pytest.raises(FailureGroup):
        case.validate_response(wrong, checks=CHECKS.get_by_names([check]))


def test_every_operation_refuses_another_method_a_long_body_and_one_that_is_not_json(server):
    for name in server.operations:
        server.refusals(name)


@pytest.mark.parametrize("caller", ["nobody", "signed-in", "proven"])
def test_made_up_calls_are_answered_as_described(server, caller):
    command = ["st", "run", DESCRIPTION, "--url", server.url, "--checks", ",".join([*FAULTS, *MORE_CHECKS])]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--generation-deterministic"]
    command += ["--continue-on-failure", "--warnings", "off", "--no-color"]
    paths = [str(path) for path in (ROOT / ".ci", Path(__file__).parent)]
    hooks = {"SCHEMATHESIS_HOOKS": "callers", "PYTHONPATH": os.pathsep.join(paths)}
    hooks |= {"CALLER": caller, "SERVER": server.url}
    done = subprocess.run(command, env=os.environ | hooks, cwd=SCRATCH)
    assert done.returncode == 0
