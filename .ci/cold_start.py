#!/usr/bin/env python3
"""Measures what the functions cost: the instructions of `status`, `verify`, `challenge` and an
empty function under valgrind, and the size of their binaries.

    python3 .ci/cold_start.py [--json FILE]
        Measures what `.ci/binaries.sh` built, with the debug build of `mfa-local`. Fails if the
        first answer of `status` takes more than 10 million instructions. The entropy that
        .cargo/config.toml switches off costs 470 million, and only TLS handshakes show it.
    python3 .ci/cold_start.py --against COMMIT [--no-build] [--json FILE]
        Builds this tree and the commit, measures both and shows the differences. The commit is
        built in target/ci/bench/, which keeps the build for the next time.
    python3 .ci/cold_start.py --against DIRECTORY [--no-build] [--json FILE]
        The same against another checkout, which must be built already.

With --no-build nothing is built. The functions do real work: `mfa-local` of the measured tree holds
the table and sets up the users, and the functions reach its DynamoDB and SES over TLS. Each
invocation is for a fresh user who has turned MFA on: with one authenticator, for `challenge` with an
e-mail address alone.

Standard library only; needs valgrind, openssl and cc.
"""

import argparse
import contextlib
import http.client
import io
import json
import os
import re
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from kit import ROOT, SCRATCH, Client, Local, Program, Services, claims_of, fail, totp, turn_mfa_on, wait_for

MOST = 10_000_000
FUNCTIONS = ("empty_function", "status", "verify", "challenge")
FIGURES = {
    "ready": "ready",
    "first_answer": "first answer",
    "warm": "each further",
    "binary_bytes": "binary",
    "zip_bytes": "zipped",
}
# The instructions of a handshake vary a little from run to run, so each figure is a median.
ROUNDS = 3
WARM = 20
# Under valgrind the processor is about fifty times slower, so the clock of time-outs has to be
# slower too. Otherwise start-up gives up the connection that it opens to the table, and the first
# invocation has to open another.
VALGRIND = "valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null"
SLOWNESS = 50
SLOW_CLOCK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    long failed = syscall(SYS_clock_gettime, clock, time);
    if (!failed && clock == CLOCK_MONOTONIC) {
        long long slow = (time->tv_sec * 1000000000LL + time->tv_nsec) / SLOWNESS;
        time->tv_sec = slow / 1000000000;
        time->tv_nsec = slow % 1000000000;
    }
    return failed;
}
"""
EXAMPLE = Path("shared") / "examples" / "empty_function.rs"


class Tree:
    """A checkout and what is built in it."""

    def __init__(self, name, root, builds):
        self.name = name
        self.root = root
        self.builds = builds
        self.local = root / "target" / "debug" / "mfa-local"
        commit = ["git", "-C", root, "describe", "--always", "--dirty", "--exclude=*"]
        self.commit = subprocess.run(commit, capture_output=True, text=True).stdout.strip()

    def binary(self, function):
        return self.root / "target" / "lambda" / function / "bootstrap"

    def build(self):
        """Builds the functions as `.ci/binaries.sh` does, and the debug build of `mfa-local`."""
        if not (self.root / EXAMPLE).exists():
            # A commit from before the example gets the one of this tree.
            (self.root / EXAMPLE).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / EXAMPLE, self.root / EXAMPLE)
        compiler = subprocess.run(["rustc", "-vV"], cwd=self.root, capture_output=True, text=True).stdout
        target = re.search(r"^host: (.*)$", compiler, re.MULTILINE)[1]
        release = f"cargo lambda build --release --locked --target={target}"
        if (self.root / "scripts" / "reproducible").exists():
            release = f"scripts/reproducible {release}"
        for command in (
            f"{release} --bin=status --bin=verify --bin=challenge",
            f"{release} --example=empty_function",
            "cargo build --locked --package mfa-local",
        ):
            print(f"  {self.name}: {command}", flush=True)
            own_target = os.environ | {"CARGO_TARGET_DIR": str(self.root / "target")}
            if subprocess.run(command.split(), cwd=self.root, env=own_target).returncode:
                fail(f"{self.name}: {command}")

    def sizes(self, function):
        binary = self.binary(function)
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(binary, "bootstrap")
        return {"binary_bytes": binary.stat().st_size, "zip_bytes": len(zipped.getvalue())}


def other_tree(wanted):
    """The checkout in a directory, or a clone of a commit."""
    if Path(wanted).is_dir():
        return Tree("before", Path(wanted).resolve(), builds=False)

    def git(*words):
        ran = subprocess.run(["git", *words], stdout=subprocess.PIPE, text=True)
        return ran.stdout.strip() if not ran.returncode else fail(f"{wanted} is neither a directory nor a commit")

    commit = git("-C", ROOT, "rev-parse", "--verify", f"{wanted}^{{commit}}")
    root = SCRATCH / "bench" / commit
    if not root.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        git("clone", "-q", "--shared", "--no-checkout", ROOT, root)
    git("-C", root, "checkout", "-q", "--detach", commit)
    # Cargo would read this tree's .cargo for the clone too.
    if subprocess.run(["git", "-C", ROOT, "diff", "--quiet", commit, "--", ".cargo"]).returncode:
        fail(f".cargo differs: build {wanted} in a checkout outside this one, and give its directory")
    return Tree("before", root, builds=True)


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Each answer is sent in one piece, so that the function reads it in the same way every time.
    wbufsize = 1 << 20

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status, body, headers):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def serve(stack, handler, certificate=None):
    """Serves until the stack ends. Returns the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return f"127.0.0.1:{server.server_port}"


def tls_in_front_of(stack, url, certificate, calls):
    """Forwards TLS to a service of `mfa-local`. Adds each call to `calls`. Returns the address."""

    class Forward(Quiet):
        upstream = None

        def do_POST(self):
            body = self.body()
            self.upstream = self.upstream or http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
            self.upstream.request("POST", self.path, body, dict(self.headers))
            answer = self.upstream.getresponse()
            calls.append(self.headers.get("x-amz-target") or self.path)
            ours = ("connection", "content-length", "date", "transfer-encoding")
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in ours}
            self.answer(answer.status, answer.read(), headers)

    return f"https://{serve(stack, Forward, certificate)}"


class Lambda:
    """The runtime API for one process. It does not answer the call after the last event."""

    def __init__(self, stack, function, events):
        self.answers = []
        self.all_done = threading.Event()
        ended = threading.Event()
        waiting = iter(events)
        api = self

        class Handler(Quiet):
            def do_GET(self):
                event = next(waiting, None)
                if event is None:
                    api.all_done.set()
                    ended.wait()
                    self.close_connection = True
                    return
                headers = {
                    "content-type": "application/json",
                    "lambda-runtime-aws-request-id": "00000000-0000-4000-8000-000000000001",
                    "lambda-runtime-deadline-ms": "4102444800000",
                    "lambda-runtime-invoked-function-arn": f"arn:aws:lambda:us-east-1:123456789012:function:{function}",
                }
                self.answer(200, event(), headers)

            def do_POST(self):
                api.answers.append((self.path.rsplit("/")[-1], self.body()))
                self.answer(202, b'{"status":"OK"}', {"content-type": "application/json"})

        self.address = serve(stack, Handler)
        stack.callback(ended.set)


class Bench:
    """The services of one tree, and the measurements of its functions."""

    def __init__(self, stack, tree, folder, slow_clock, certificate, key_and_certificate):
        self.tree = tree
        self.calls = []
        self.users = 0
        env_file = Path(folder) / f"{tree.name}.json"
        stack.enter_context(Services(f"bench-{tree.name}-services", env_file, binary=tree.local))
        self.environment = json.loads(env_file.read_text())["Parameters"]
        options = []
        for service in ("dynamodb", "ses", "sns"):
            variable = f"MFA_{service.upper()}_ENDPOINT"
            url = self.environment[variable]
            options += [f"--{service}", url]
            self.environment[variable] = tls_in_front_of(stack, url, key_and_certificate, self.calls)
        api = stack.enter_context(Local(f"bench-{tree.name}-api", *options, binary=tree.local))
        self.mfa = Client(api.url)
        # What stands alone must not stand there too.
        settings = self.environment.get("MFA_SETTINGS", "")
        self.environment["MFA_SETTINGS"] = re.sub(r"MFA_AWS_TIMEOUT_MS=\d+\s*", "", settings)
        self.environment |= {
            "MFA_NATIVE_ROOTS": "true",
            "SSL_CERT_FILE": str(certificate),
            "MFA_AWS_TIMEOUT_MS": "60000",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "PATH": os.environ["PATH"],
            "LD_PRELOAD": str(slow_clock),
        }
        # An earlier commit refuses a variable that it does not know.
        if "MFA_STACK" in (tree.root / "docs" / "configuration.md").read_text():
            self.environment["MFA_STACK"] = "mfa"

    def event(self, function):
        """Sets up a fresh user. Returns a function that makes the event when it is handed out."""
        self.users += 1
        user = {"sub": f"user-{self.users:06}", "email": f"user-{self.users:06}@example.com"}
        token = self.mfa.sign_in(**user)
        if function == "challenge":
            # Without an authenticator, switching on proves the address. Only proven addresses get a code.
            self.mfa.ok("POST", "/auth/mfa/toggle", {"enabled": True}, token)
        else:
            secret = turn_mfa_on(self.mfa, token, time.time())
        token = self.mfa.sign_in(**user)
        sample = "status" if function == "empty_function" else function
        event = json.loads((ROOT / "events" / f"{sample}.json").read_text())
        event["headers"]["authorization"] = f"Bearer {token}"

        def now():
            if function == "verify":
                # The setup used up the code of its time step. The next code is valid already.
                event["body"] = json.dumps({"method": "totp", "otp": totp(secret, time.time() + 30)})
                event["headers"]["content-length"] = str(len(event["body"]))
            return json.dumps(event).encode()

        return now

    def check(self, function, kind, answer):
        answer = json.loads(answer)
        if kind != "response" or answer["statusCode"] != 200:
            fail(f"{self.tree.name}: {function} answered {kind} {answer}")
        body = json.loads(answer["body"])
        worked = {
            "empty_function": lambda: body == {},
            "status": lambda: body["isEnabled"],
            "verify": lambda: claims_of(body["accessToken"])["isMfaVerified"],
            "challenge": lambda: self.calls[-1] == "/v2/email/outbound-emails",
        }
        if not worked[function]():
            fail(f"{self.tree.name}: {function} answered {body}")

    def instructions(self, function, invocations):
        """Counts from the start of a process until it asks for the invocation after the last."""
        events = [self.event(function) for _ in range(invocations)]
        self.calls.clear()
        name = f"bench-{self.tree.name}-{function}"
        with contextlib.ExitStack() as stack:
            api = Lambda(stack, function, events)
            environment = self.environment | {
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "AWS_LAMBDA_FUNCTION_NAME": function,
            }
            with Program(name, *VALGRIND.split(), self.tree.binary(function), env=environment) as process:
                wait_for(name, lambda: api.all_done.is_set() or process.process.poll() is not None, 120)
                # The function may still be at work after it has sent the request.
                time.sleep(0.2)
        report = process.output()
        if len(api.answers) != invocations:
            fail(f"{name}: {report}")
        for kind, answer in api.answers:
            self.check(function, kind, answer)
        if invocations and function != "empty_function" and not any("DynamoDB" in call for call in self.calls):
            fail(f"{name} did not call DynamoDB")
        return int(re.search(r"I +refs: +([\d,]+)", report).group(1).replace(",", ""))

    def measure(self, function):
        ready, first, last = (self.instructions(function, count) for count in (0, 1, 1 + WARM))
        return {"ready": ready, "first_answer": first, "warm": (last - first) / WARM}


def self_signed(folder):
    """A certificate for 127.0.0.1, and a file that also holds its key."""
    key, certificate, both = (Path(folder) / name for name in ("key.pem", "certificate.pem", "both.pem"))
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    make += " -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
    subprocess.run([*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return certificate, both


def compiled(folder):
    library = Path(folder) / "slow_clock.so"
    command = ["cc", "-O2", "-shared", "-fPIC", f"-DSLOWNESS={SLOWNESS}", "-x", "c", "-o", library, "-"]
    subprocess.run(command, input=SLOW_CLOCK, text=True, check=True)
    return library


def measure(trees):
    """By tree and function: the figures, and the spread of the rounds."""
    seen = {tree.name: {function: [] for function in FUNCTIONS} for tree in trees}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        files = compiled(folder), *self_signed(folder)
        benches = [Bench(stack, tree, folder, *files) for tree in trees]
        for number in range(1, ROUNDS + 1):
            print(f"  round {number} of {ROUNDS}", flush=True)
            for function in FUNCTIONS:
                for bench in benches:
                    seen[bench.tree.name][function].append(bench.measure(function))
    results = {}
    for tree in trees:
        functions = {}
        for function, rounds in seen[tree.name].items():
            figures, spread = {}, {}
            for figure in rounds[0]:
                values = [one[figure] for one in rounds]
                figures[figure] = round(statistics.median(values))
                spread[figure] = round((max(values) - min(values)) / figures[figure] * 100, 2)
            functions[function] = figures | tree.sizes(function) | {"spread_percent": spread}
        results[tree.name] = {"commit": tree.commit, "functions": functions}
    return results


def differences(results):
    before, now = (results[name]["functions"] for name in ("before", "now"))
    percent = lambda function, figure: (now[function][figure] / before[function][figure] - 1) * 100
    return {function: {figure: round(percent(function, figure), 2) for figure in FIGURES} for function in FUNCTIONS}


def show(results):
    names = [name for name in ("before", "now") if name in results]
    print("\n" + ", ".join(f"{name}: {results[name]['commit']}" for name in names))
    print("Thousands of instructions from the start until ready, from the start until the first answer, and")
    print("for each further answer; sizes in kB.\n")
    print(" " * 26 + "".join(f"{title:>14}" for title in FIGURES.values()))
    for function in FUNCTIONS:
        for name in names:
            figures = results[name]["functions"][function]
            numbers = "".join(f"{figures[figure] / 1e3:>14,.1f}" for figure in FIGURES)
            print(f"  {function:<16}{name:<8}{numbers}")
        if "difference_percent" in results:
            percents = results["difference_percent"][function]
            print(f"  {'':<16}{'':<8}" + "".join(f"{percents[figure]:>+12.2f} %" for figure in FIGURES))
    spreads = [one["spread_percent"] for name in names for one in results[name]["functions"].values()]
    widest = ", ".join(f"{FIGURES[figure]} {max(one[figure] for one in spreads)} %" for figure in spreads[0])
    print(f"\n  widest spread of {ROUNDS} rounds: {widest}")


def main():
    parser = argparse.ArgumentParser(description="What the functions cost.")
    parser.add_argument("--against", metavar="COMMIT|DIRECTORY", help="compare with this")
    parser.add_argument("--no-build", action="store_true", help="with --against: take both as they are built")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()

    trees = [Tree("now", ROOT, builds=True)]
    if options.against:
        trees.insert(0, other_tree(options.against))
        if not options.no_build:
            for tree in trees:
                if tree.builds:
                    tree.build()
    for tree in trees:
        for needed in (tree.local, *map(tree.binary, FUNCTIONS)):
            if not needed.exists():
                fail(f"{needed} is not built")
    results = measure(trees)
    if options.against:
        results["difference_percent"] = differences(results)
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    if not options.against:
        first = results["now"]["functions"]["status"]["first_answer"]
        if first > MOST:
            allowed = f"{MOST / 1e6:.0f} are allowed"
            fail(f"the first answer of status takes {first / 1e6:.1f} million instructions; {allowed}")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"FAILED: {error}")
