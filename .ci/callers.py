"""Who calls: people with a login, and people who passed a second factor.

Schemathesis loads this file to give each of its calls a caller of its own, so that none is locked by the calls before.
`CALLER` says of which kind, `SERVER` where the local server is.
"""

import itertools
import os

import schemathesis
from bundle import Client, totp


def sign_in(client, name):
    return client.sign_in(sub=name, email=f"{name}@example.com", phone="+12025550143")


def code_of(client, setup):
    return totp(setup["secret"], client.ok("GET", "/__local/clock")["unix"])


def proven(client, name):
    """A login that set up an authenticator and switched MFA on: it counts as proven."""
    token = sign_in(client, name)
    setup = client.ok("POST", "/auth/mfa/setup-totp", {}, token)
    confirmation = {"otp": code_of(client, setup), "secret": setup["secret"]}
    client.ok("POST", "/auth/mfa/verify-totp-setup", confirmation, token)
    client.ok("POST", "/auth/mfa/toggle", {"enabled": True}, token)
    return token


kind = os.environ.get("CALLER")
if new_caller := {"signed-in": sign_in, "proven": proven}.get(kind):
    client, number = Client(os.environ["SERVER"]), itertools.count()

    @schemathesis.hook
    def before_call(_context, case, _kwargs):
        token = new_caller(client, f"{kind}-{next(number)}")
        case.headers["authorization"] = f"Bearer {token}"
