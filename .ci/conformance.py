#!/usr/bin/env python3
"""Shows that the local server answers as docs/openapi.yaml describes: `conformance.py [MFA-LOCAL]`.

First one right call of every operation and the refusals that all have in common. Then Schemathesis makes up calls,
right and wrong ones, of nobody, of people who signed in, and of people who passed a second factor (callers.py).
"""

import os
import subprocess
import sys

import requests
import schemathesis
from bundle import DEBUG, ROOT, SCRATCH, Client, Local, expect, fail
from callers import code_of, sign_in
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response

DESCRIPTION = ROOT / "docs" / "openapi.yaml"
KEYS = ROOT / "tests" / "it" / "keys"

# Each check, and what turns a right answer into one that it must find.
FAULTS = {
    "not_a_server_error": {"status_code": 500},
    "status_code_conformance": {"status_code": 418},
    "content_type_conformance": {"headers": {"content-type": ["text/html"]}},
    "response_headers_conformance": {"headers": {"cache-control": ["public"]}},
    "response_schema_conformance": {"content": b'{"isEnabled":"yes"}'},
}
# Asked of made-up calls alone: that faulty input and other methods are refused.
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
        """What Schemathesis does not compare: the answers to another method, a long body, and one that is no JSON."""
        case = self.operations[name].Case(path_parameters={"deviceId": "x", "id": "x"})
        wrong = [(405, "PUT", None), (413, case.method, "x" * 9000), (415, case.method, "x")]
        for status, method, body in wrong if case.method == "POST" else wrong[:2]:
            answer = requests.request(method, self.url + case.formatted_path, data=body)
            expect(f"{method} {name}", answer.status_code, status)
            case.validate_response(answer, checks=CHECKS.get_by_names(list(FAULTS)))


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
    code = client.ok("GET", "/__local/inbox")[-1]["code"]
    verified = right("verify", login, method="email", otp=code, trustDevice=True)
    right("remove-device", verified["accessToken"], {"deviceId": setup["deviceId"]})
    right("verify-trusted-device", login, headers={"nest_auth_device_trust": verified["trustToken"]})
    token = right("refresh-token", refreshToken=verified["refreshToken"])["accessToken"]
    [trusted] = right("list-trusted-devices", token)
    right("revoke-trusted-device", token, {"id": trusted["id"]})
    right("verify-recovery-code", login, code=codes[0], rememberDevice=True)
    right("reset-totp", login, code=codes[1])
    expect("keys with HS256", right("jwks"), {"keys": []})
    expect("operations without a right call", server.operations.keys() - server.called.keys(), set())


def published_keys(binary):
    for algorithm, name in [("ES256", "ec"), ("EdDSA", "ed")]:
        public, private = (KEYS / f"{name}{ending}" for ending in [".pub.pem", ".pem"])
        settings = {"ALGORITHM": algorithm, "PUBLIC_KEY": public.read_text()}
        options = [f"--set=MFA_JWT_{setting}={value}" for setting, value in settings.items()]
        options.append(f"--set=MFA_SIGNING_KEY={private.read_text()}")
        with Local("mfa-local-with-keys", *options, binary=binary) as local:
            expect(f"keys with {algorithm}", len(Described(local.url).right("jwks")["keys"]), 1)


def wrong_answers_are_found(case, answer):
    for check, fault in FAULTS.items():
        parts = {"status_code": answer.status_code, "content": answer.content, "headers": {}} | fault
        parts["headers"] = answer.headers | parts["headers"]
        try:
            wrong = Response(**parts, request=answer.request, elapsed=0, verify=True)
            case.validate_response(wrong, checks=CHECKS.get_by_names([check]))
        except FailureGroup:
            print(f"  ok  {check} finds {fault}")
        else:
            fail(f"{check} does not find {fault}")


def made_up_calls(url, caller):
    command = ["st", "run", DESCRIPTION, "--url", url, "--checks", ",".join([*FAULTS, *MORE_CHECKS])]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--generation-deterministic"]
    command += ["--continue-on-failure", "--warnings", "off", "--no-color"]
    hooks = {"SCHEMATHESIS_HOOKS": "callers", "PYTHONPATH": str(ROOT / ".ci"), "CALLER": caller, "SERVER": url}
    done = subprocess.run(command, env=os.environ | hooks, cwd=SCRATCH)
    expect(f"made-up calls, {caller}", done.returncode, 0)


def main(binary=DEBUG):
    published_keys(binary)
    with Local("mfa-local-conformance", binary=binary) as local:
        server = Described(local.url)
        right_calls(server, Client(local.url))
        wrong_answers_are_found(*server.called["status"])
        for name in server.operations:
            server.refusals(name)
        for caller in ["nobody", "signed-in", "proven"]:
            made_up_calls(local.url, caller)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
