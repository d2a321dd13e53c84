#!/usr/bin/env python3
"""Shows that the functions run as Lambda functions: a journey through the HTTP router of `cargo lambda watch`, over all
routes, and every event of events/ by `cargo lambda invoke`, answered as events/expected.json says.
"""

import json
import socket
import subprocess
import sys

from bundle import DEBUG, ROOT, SCRATCH, Client, Program, claims_of, expect, fail, totp

ENV_FILE = SCRATCH / "local.env"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    ENV_FILE.unlink(missing_ok=True)
    with Program("services", DEBUG, "--services-only", "--port", "0", "--env-file", ENV_FILE) as services:
        workbench = services.wait_for_line(r"login tokens +(http://[^/\s]+)")
        port = free_port()
        # The same command as in the README, but for its port, and for not watching the sources.
        watch = f"cargo lambda watch --env-file {ENV_FILE} --invoke-address 127.0.0.1 --invoke-port {port}"
        with Program("lambda-watch", *watch.split(), "--ignore-changes", cwd=ROOT) as functions:
            functions.wait_for_line(r"(Runtime server)")
            # The first call of a route lets cargo look whether its function is built.
            journey(Client(workbench), Client(f"http://127.0.0.1:{port}", timeout=180))
            invoke_events(port)


def journey(workbench, mfa):
    token = workbench.sign_in(sub="watched", email="watched@example.com")

    def call(method, path, body=None):
        answer = mfa.ok(method, f"/auth/mfa/{path}", body, token)
        print(f"  200  {method:<6} /auth/mfa/{path}")
        return answer

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
    tokens = call("POST", "verify", {"method": "email", "otp": mail["code"]})
    expect("claim isMfaVerified", claims_of(tokens["accessToken"])["isMfaVerified"], True)
    expect("status", call("GET", "status")["isEnabled"], True)
    token = call("POST", "verify-recovery-code", {"code": recovery_codes[0]})["accessToken"]
    call("DELETE", f"devices/{device['id']}")
    call("POST", "reset-totp", {"code": recovery_codes[1]})
    expect("status", call("GET", "status")["isEnabled"], False)


def invoke_events(port):
    wanted = json.loads((ROOT / "events" / "expected.json").read_text())
    for name, answer in wanted.items():
        invoke = f"cargo lambda invoke {name} --data-file events/{name}.json --output-format json"
        invoke += f" --invoke-address 127.0.0.1 --invoke-port {port}"
        ran = subprocess.run(invoke.split(), cwd=ROOT, capture_output=True, text=True, timeout=180)
        if ran.returncode:
            fail(f"cargo lambda invoke {name}: {ran.stderr or ran.stdout}")
        got = json.loads(ran.stdout)
        body = json.loads(got["body"])
        # In a success `code` is a field like any other.
        code = body["code"] if got["statusCode"] >= 400 else None
        seen = {"statusCode": got["statusCode"]} | ({"code": code} if code else {})
        expect(f"cargo lambda invoke {name}", seen, answer)


if __name__ == "__main__":
    sys.exit(main())
