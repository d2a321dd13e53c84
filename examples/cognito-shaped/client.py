"""A person's client: sets up an authenticator at the MFA bundle and passes the second factor there.

Then the application shows the transfers. Every call has a renewed login token.
"""

import os
import time
import uuid

import jwt
import pyotp
import requests

APP = os.environ.get("APP", "http://127.0.0.1:8000")
MFA = os.environ.get("MFA_ISSUER", "http://127.0.0.1:9000")


def call(method, url, token=None, body=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return requests.request(method, url, headers=headers, json=body, timeout=10)


def issue_token(claims):
    """Stands in for Cognito, which answers a login, or a refresh token, with an access token."""
    return call("POST", f"{MFA}/__local/token", body=claims).json()["accessToken"]


login = jwt.decode(issue_token({"sub": str(uuid.uuid4())}), options={"verify_signature": False})


def renewed():
    """Another access token of the same login, which `origin_jti` names."""
    return issue_token({name: value for name, value in login.items() if name not in ("iat", "exp", "jti")})


def mfa(method, path, body=None):
    answer = call(method, f"{MFA}/auth/mfa/{path}", renewed(), body)
    answer.raise_for_status()
    return answer.json()


def show_transfers(token):
    answer = call("GET", f"{APP}/transfers", token)
    print(f"GET /transfers: {answer.status_code} {answer.text.strip()}")


show_transfers(renewed())

print(f"MFA is on: {mfa('GET', 'status')['isEnabled']}")
secret = mfa("POST", "setup-totp", {"deviceName": "Phone"})["secret"]
authenticator = pyotp.TOTP(secret)
mfa("POST", "verify-totp-setup", {"secret": secret, "otp": authenticator.now()})
mfa("POST", "toggle", {"enabled": True})
print(f"MFA is on: {mfa('GET', 'status')['isEnabled']}")
show_transfers(renewed())

# A code works once, and the set-up used this one. The next one is accepted up to 30 seconds early.
otp = authenticator.at(time.time() + 30)
proof = mfa("POST", "verify", {"method": "totp", "otp": otp})["accessToken"]
print("The second factor is passed")
show_transfers(proof)
