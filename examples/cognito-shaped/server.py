"""The application: an API that shows transfers only with a fresh token of the MFA bundle.

It shares no secret with the bundle, and finds its keys by discovery.
"""

import os
import time
from functools import cache

import jwt
import requests
from flask import Flask, jsonify, request

ISSUER = os.environ.get("MFA_ISSUER", "http://127.0.0.1:9000")
CLIENT_ID = "web-client"
MAX_AGE = 300  # seconds since the person entered a code

app = Flask(__name__)


@cache
def key_set():
    """The bundle's keys. They are fetched again after five minutes, or for an unknown `kid`."""
    found = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=5).json()
    assert found["issuer"] == ISSUER, f"{ISSUER} calls itself {found['issuer']}"
    return jwt.PyJWKClient(found["jwks_uri"], timeout=5)


def proven_claims(token):
    """The claims of a token of the bundle. Raises PyJWTError for any other token."""
    key = key_set().get_signing_key_from_jwt(token)
    required = ["exp", "iss", "sub", "auth_time"]
    # Without a list of algorithms, the token's sender would choose how it is checked.
    claims = jwt.decode(token, key, ["EdDSA", "ES256", "RS256"], issuer=ISSUER, options={"require": required})
    if claims.get("client_id") != CLIENT_ID:
        raise jwt.InvalidTokenError("the token is for another client")
    if claims.get("isMfaVerified") is not True:
        raise jwt.InvalidTokenError("the token proves no second factor")
    return claims


def refused(code, challenge):
    return jsonify(code=code), 401, {"www-authenticate": f"Bearer {challenge}"}


@app.get("/transfers")
def transfers():
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        claims = proven_claims(token)
    except jwt.PyJWKClientConnectionError:
        # With 401, a client would sign the person out because the bundle is down.
        return jsonify(code="SERVICE_UNAVAILABLE"), 503
    except jwt.PyJWTError:
        return refused("INVALID_TOKEN", 'error="invalid_token"')
    if time.time() - claims["auth_time"] > MAX_AGE:
        # RFC 9470
        return refused("MFA_REQUIRED", f'error="insufficient_user_authentication", max_age={MAX_AGE}')
    return jsonify([{"from": claims["sub"], "to": "savings", "amount": 100}])


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8000")))
