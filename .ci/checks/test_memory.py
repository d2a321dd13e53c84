"""Shows how much memory the local server takes.

It may take less than 30 MB at rest. After the journeys of 1,000 and of 10,000 users, kept in a file,
it may take at most 20 MB more: its newest 500 messages and events, 500 writes that wait for `notify`, and
the clients of the functions that are used for the first time.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kit import RELEASE, Client, Local, claims_of, totp, turn_mfa_on

AT_REST_MB = 30
GROWTH_MB = 20
CONNECTIONS = 4
# Reading the inbox reads its newest 500 messages, so only one user in so many uses the code of
# the e-mail.
BY_EMAIL_EVERY = 100

mine = threading.local()


def resident_mb(local):
    status = Path(f"/proc/{local.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def journey(url, number):
    """Signs in, sets up and confirms an authenticator, turns MFA on, asks for a code by e-mail, and
    verifies."""
    if not hasattr(mine, "mfa"):
        mine.mfa = Client(url)
    mfa = mine.mfa
    email = f"user-{number}@example.com"
    token = mfa.sign_in(sub=f"user-{number}", email=email)
    post = lambda path, body: mfa.ok("POST", f"/auth/mfa/{path}", body, token)

    now = time.time()
    secret = turn_mfa_on(mfa, token, now)
    post("challenge", {"method": "email"})
    if number % BY_EMAIL_EVERY == 0:
        [otp] = mfa.codes_for(email)
        proof = post("verify", {"method": "email", "otp": otp})
    else:
        # A server that keeps its table in a file has no adjustable clock. The code of the next step
        # is already accepted.
        proof = post("verify", {"method": "totp", "otp": totp(secret, now + 30)})
    assert claims_of(proof["accessToken"])["isMfaVerified"], f"user {number} is not verified"


def test_the_server_stays_small_at_rest_and_after_ten_thousand_journeys(tmp_path):
    with Local("mfa-local-measured", "--data", tmp_path / "table.sqlite", binary=RELEASE) as local:
        time.sleep(1)
        at_rest = resident_mb(local)
        print(f"\n  at rest                 {at_rest:5.1f} MB", flush=True)
        assert at_rest < AT_REST_MB
        done = 0
        for users in (1_000, 10_000):
            started = time.monotonic()
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                # A list, so that the first failure is raised here.
                list(pool.map(lambda number: journey(local.url, number), range(done, users)))
            took, done = time.monotonic() - started, users
            time.sleep(1)
            resident = resident_mb(local)
            size = sum(path.stat().st_size for path in tmp_path.iterdir()) / 1024**2
            print(
                f"  after {users:6,} journeys   {resident:5.1f} MB, {resident - at_rest:4.1f} more;"
                f" {took:4.0f} s; {size:.0f} MB in the file",
                flush=True,
            )
            assert resident - at_rest <= GROWTH_MB
