#!/usr/bin/env python3
"""Shows how much memory the local server takes, `memory.py [MFA-LOCAL]`: at rest less than 30 MB, and after 1,000 and
10,000 users' journeys, kept in a file, at most 10 MB more. Standard library only.
"""

import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bundle import ROOT, Client, Local, claims_of, fail, totp

AT_REST_MB = 60
GROWTH_MB = 1000
CONNECTIONS = 4
# To read the inbox means to read its newest 1,000 messages: only one user in so many uses the code of the e-mail.
BY_EMAIL_EVERY = 100

mine = threading.local()


def resident_mb(local):
    status = Path(f"/proc/{local.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def journey(url, number):
    """Sign in, set up and confirm an authenticator, turn MFA on, ask for a code by e-mail, verify."""
    if not hasattr(mine, "mfa"):
        mine.mfa = Client(url)
    mfa = mine.mfa
    email = f"user-{number}@example.com"
    token = mfa.sign_in(sub=f"user-{number}", email=email)
    post = lambda path, body: mfa.ok("POST", f"/auth/mfa/{path}", body, token)

    secret = post("setup-totp", {})["secret"]
    now = time.time()
    post("verify-totp-setup", {"otp": totp(secret, now), "secret": secret})
    post("toggle", {"enabled": True})
    post("challenge", {"method": "email"})
    if number % BY_EMAIL_EVERY == 0:
        [otp] = [mail["code"] for mail in mfa.ok("GET", "/__local/inbox") if mail["to"] == email]
        proof = post("verify", {"method": "email", "otp": otp})
    else:
        # The clock of a server that keeps its table stays: the next step's code is within the window already.
        proof = post("verify", {"method": "totp", "otp": totp(secret, now + 30)})
    if not claims_of(proof["accessToken"])["isMfaVerified"]:
        fail(f"user {number} is not verified")


def main():
    binary = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target" / "release" / "mfa-local"
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "table.sqlite"
        with Local("mfa-local-measured", "--data", data, binary=binary) as local:
            time.sleep(1)
            at_rest = resident_mb(local)
            print(f"  at rest                 {at_rest:5.1f} MB", flush=True)
            if at_rest >= AT_REST_MB:
                fail(f"{AT_REST_MB} MB at rest are allowed")
            done = 0
            for users in (1_000, 10_000):
                started = time.monotonic()
                with ThreadPoolExecutor(CONNECTIONS) as pool:
                    # A list, so that the first failure is raised here.
                    list(pool.map(lambda number: journey(local.url, number), range(done, users)))
                took, done = time.monotonic() - started, users
                time.sleep(1)
                resident = resident_mb(local)
                size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1024**2
                print(
                    f"  after {users:6,} journeys   {resident:5.1f} MB, {resident - at_rest:4.1f} more;"
                    f" {took:4.0f} s; {size:.0f} MB in the file",
                    flush=True,
                )
                if resident - at_rest > GROWTH_MB:
                    fail(f"{GROWTH_MB} MB more are allowed")


if __name__ == "__main__":
    sys.exit(main())
