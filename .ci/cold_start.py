#!/usr/bin/env python3
"""Counts the instructions of a cold start: the release binary of `status`, from its start until its first answer to a
fake Lambda, with its calls over TLS to a fake DynamoDB, under valgrind. Fails above 10 million.

The entropy that .cargo/config.toml switches off costs 470 million, and shows in TLS handshakes alone.
"""

import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bundle import ROOT, SCRATCH, Program, expect, fail, wait_for

import json

MOST = 10_000_000
STATUS = ROOT / "target" / "lambda" / "status" / "bootstrap"


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, text, **headers):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


class DynamoDb(Quiet):
    """An empty table."""

    calls = []

    def do_POST(self):
        self.body()
        call = self.headers["x-amz-target"].split(".")[1]
        self.calls.append(call)
        empty = {"GetItem": "{}", "Query": '{"Count":0,"Items":[],"ScannedCount":0}'}
        self.answer(empty[call], content_type="application/x-amz-json-1.0")


class Lambda(Quiet):
    """The runtime API with one invocation."""

    event = (ROOT / "events" / "status.json").read_text()
    handed_out = False
    answers = []

    def do_GET(self):
        if Lambda.handed_out:
            threading.Event().wait()
        Lambda.handed_out = True
        self.answer(
            self.event,
            lambda_runtime_aws_request_id="00000000-0000-4000-8000-000000000001",
            lambda_runtime_deadline_ms="4102444800000",
            lambda_runtime_invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:status",
        )

    def do_POST(self):
        self.answers.append((self.path.rsplit("/")[-1], self.body()))
        self.answer("")


def serve(handler, certificate=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_port}"


def self_signed(folder):
    """A certificate for 127.0.0.1 and its key, in one file."""
    key, certificate, both = (Path(folder) / name for name in ("key.pem", "certificate.pem", "both.pem"))
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    make += " -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
    subprocess.run([*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return certificate, both


def main():
    with tempfile.TemporaryDirectory() as folder:
        certificate, both = self_signed(folder)
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": serve(Lambda),
            "AWS_LAMBDA_FUNCTION_NAME": "status",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "MFA_APP_NAME": "Example",
            "MFA_TABLE": "mfa-local",
            "MFA_METHODS": "totp",
            "MFA_JWT_SECRET": "mfa-development-secret-known-to-everybody",
            "MFA_HASH_KEY": "bWZhLWRldmVsb3BtZW50LWhhc2gta2V5LTAwMDAwMDA=",
            "MFA_SEALING_KEYS": "dev:bWZhLWRldmVsb3BtZW50LXNlYWxpbmcta2V5LTAwMDA=",
            "MFA_DYNAMODB_ENDPOINT": f"https://{serve(DynamoDb, both)}",
            "MFA_NATIVE_ROOTS": "true",
            "SSL_CERT_FILE": str(certificate),
            # Under valgrind a processor is some fifty times slower.
            "MFA_AWS_TIMEOUT_MS": "60000",
        }
        valgrind = "valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null"
        with Program("cold-start", *valgrind.split(), STATUS, env=environment) as function:
            wait_for("an answer", lambda: Lambda.answers or function.process.poll() is not None, 120)
        report = function.output.read_text(errors="replace")
        if not Lambda.answers:
            fail(report)
        [(kind, answer)] = Lambda.answers
        expect("the function", kind, "response")
        expect("its answer", json.loads(answer)["statusCode"], 200)
        expect("its calls", DynamoDb.calls[-1], "Query")
        count = int(re.search(r"I +refs: +([\d,]+)", report).group(1).replace(",", ""))
        print(f"  {count / 1e6:.1f} million instructions until the first answer")
        if count > MOST:
            fail(f"{MOST / 1e6:.0f} million are allowed")


if __name__ == "__main__":
    sys.exit(main())
