"""The callers: people with a login, and people who passed a second factor.

Schemathesis loads this file. Each of its calls gets a new caller, so that earlier calls lock nobody.
`CALLER` is the kind of caller, and `SERVER` is the address of the local server.
"""

import itertools
import os

import schemathesis
from kit import Client, totp, turn_mfa_on


def sign_in(client, name):
    return client.sign_in(sub=name, email=f"{name}@example.com", phone="+12025550143")


def code_of(client, setup):
    return totp(setup["secret"], client.now())


def proven(client, name):
    """A login that counts as proven, because it set up an authenticator and switched MFA on."""
    token = sign_in(client, name)
    turn_mfa_on(client, token, client.now())
    return token


kind = os.environ.get("CALLER")
if new_caller := {"signed-in": sign_in, "proven": proven}.get(kind):
    client, number = Client(os.environ["SERVER"]), itertools.count()

    @schemathesis.hook
    def before_call(_context, case, _kwargs):
        token = new_caller(client, f"{kind}-{next(number)}")
        case.headers["authorization"] = f"Bearer {token}"
