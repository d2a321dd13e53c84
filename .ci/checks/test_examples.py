"""Runs the examples with their own clients, and shows which tokens their applications accept.

It also shows that verifiers of others accept the bundle's tokens, and refuse those of the login.
"""

import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from kit import DEBUG, ROOT, SCRATCH, Client, Local, Program, claims_of, expect, totp, turn_mfa_on

NPM = "npm install --silent --no-package-lock --no-audit --no-fund --ignore-scripts".split()
PIP = [sys.executable, *"-m pip install --quiet --no-warn-conflicts --target packages -r requirements.txt".split()]
KEYS = ROOT / "local" / "keys"
SECRET = "a secret for development, not for users"
ACCEPTED, INVALID, NO_FACTOR = "200", "401 INVALID_TOKEN", "401 MFA_REQUIRED"


def with_packages(name, manifest, install):
    """A copy of an example in target/ci/, with the packages that its manifest names."""
    source, copy = ROOT / "examples" / name, SCRATCH / "examples" / name
    installed, wanted = copy / "installed", (source / manifest).read_text()
    if not installed.exists() or installed.read_text() != wanted:
        shutil.rmtree(copy, ignore_errors=True)
    not_ours = shutil.ignore_patterns("node_modules", "package-lock.json", ".venv")
    shutil.copytree(source, copy, ignore=not_ours, dirs_exist_ok=True)
    if not installed.exists():
        subprocess.run(install, cwd=copy, check=True)
        installed.write_text(wanted)
    return copy


class Issuer(Program):
    """`mfa-local` whose tokens name the address that it is served at."""

    def __init__(self, name, *options):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(name, DEBUG, "--port", port, "--set", f"MFA_ISSUER={self.url}", *options)
        self.wait_for_line(r"(Serving)")


class Example:
    """An application of examples/ that is running, and its client."""

    def __init__(self, mfa, app, client, **options):
        self.mfa = Client(mfa)
        self.app = Client(app)
        self.client = client
        self.options = options

    def statuses(self):
        """The statuses of /transfers that the client gets on its way."""
        ran = subprocess.run(self.client, capture_output=True, text=True, timeout=60, **self.options)
        assert ran.returncode == 0, ran.stderr
        return re.findall(r"GET /transfers: (\d+)", ran.stdout)

    def expect(self, what, token, wanted):
        status, answer = self.app.call("GET", "/transfers", token=token)
        expect(what, str(status) if status == 200 else f"{status} {answer['code']}", wanted)


@pytest.fixture
def express():
    folder = with_packages("express-nest-client", "package.json", NPM)
    options = {"cwd": folder, "env": os.environ | {"JWT_SECRET": SECRET, "PORT": "0"}}
    with (
        Local("mfa-local-for-express", "--jwt-secret", SECRET, binary=DEBUG) as mfa,
        Program("example-express", "node", "server.mjs", **options) as server,
    ):
        app = server.wait_for_line(r"Serving the application at (http:\S+)")
        options["env"] |= {"APP": app, "MFA": mfa.url}
        yield Example(mfa.url, app, ["node", "client.mjs"], **options)


@pytest.fixture(scope="module")
def python_folder():
    return with_packages("cognito-shaped", "requirements.txt", PIP)


@pytest.fixture
def cognito(python_folder):
    with Issuer("mfa-local-for-cognito", "--login", "cognito") as mfa:
        variables = {"PYTHONPATH": str(python_folder / "packages"), "PORT": "0", "MFA_ISSUER": mfa.url}
        options = {"cwd": python_folder, "env": os.environ | variables}
        with Program("example-cognito", sys.executable, "server.py", **options) as server:
            app = server.wait_for_line(r"Running on (http:\S+)")
            options["env"] |= {"APP": app}
            yield Example(mfa.url, app, [sys.executable, "client.py"], **options)


@pytest.fixture(scope="module")
def jwt(python_folder):
    """PyJWT, as the example in Python has it."""
    sys.path.append(str(python_folder / "packages"))
    return importlib.import_module("jwt")


def pass_second_factor(mfa, token, renewed):
    """Sets MFA up with one token of a login, and passes the second factor with another."""
    now = time.time()
    secret = turn_mfa_on(mfa, token, now)
    # The code of the next step is already accepted.
    code = {"method": "totp", "otp": totp(secret, now + 30)}
    return mfa.ok("POST", "/auth/mfa/verify", code, renewed)["accessToken"]


def changed(token, **changes):
    """The claims of a token with these changes. `None` takes a claim out."""
    claims = claims_of(token) | changes
    return {name: value for name, value in claims.items() if value is not None}


def test_the_express_application_shows_transfers_to_its_client_after_the_second_factor(express):
    expect("GET /transfers", express.statuses(), ["401", "401", "200", "200"])


def test_the_express_application_refuses_what_proves_no_second_factor(express, jwt):
    credentials = {"email": "bob@example.com", "password": "battery staple"}
    login = express.app.ok("POST", "/login", {"credentials": credentials})
    renewal = {"refreshToken": login["refreshToken"]}
    renewed = express.app.ok("POST", "/renew", renewal)
    sessions = [claims_of(tokens["accessToken"])["sessionId"] for tokens in (login, renewed)]
    expect("a renewed token is of the same login", sessions[1], sessions[0])
    expect("a used refresh token", express.app.call("POST", "/renew", renewal)[0], 401)
    wrong = {"credentials": credentials | {"password": "wrong"}}
    expect("a wrong password", express.app.call("POST", "/login", wrong)[0], 401)
    proof = pass_second_factor(express.mfa, login["accessToken"], renewed["accessToken"])

    def signed(key=SECRET, algorithm="HS256", **changes):
        return jwt.encode(changed(proof, **changes), key, algorithm)

    express.expect("no token", None, INVALID)
    express.expect("the login token", login["accessToken"], NO_FACTOR)
    express.expect("the proof", proof, ACCEPTED)
    # The secret is shared, so this passes. The next ones differ from it by their change alone.
    express.expect("signed by the secret", signed(), ACCEPTED)
    express.expect("signed by another", signed(key="another secret, that is just as long"), INVALID)
    express.expect("not signed", signed(None, "none"), INVALID)
    express.expect("expired", signed(exp=int(time.time()) - 1), INVALID)
    express.expect("without an end", signed(exp=None), INVALID)
    express.expect("of another type", signed(type="refresh"), INVALID)
    express.expect("verified by a text", signed(isMfaVerified="true"), NO_FACTOR)
    express.expect("without the bundle's claim", signed(mfa=None), NO_FACTOR)


def test_the_python_application_shows_transfers_to_its_client_after_the_second_factor(cognito):
    expect("GET /transfers", cognito.statuses(), ["401", "401", "200"])


def test_the_python_application_refuses_what_is_no_fresh_token_of_the_bundle(cognito, jwt):
    login = cognito.mfa.sign_in(sub="bob")
    renewed = cognito.mfa.sign_in(**changed(login, iat=None, exp=None))
    proof = pass_second_factor(cognito.mfa, login, renewed)
    header = jwt.get_unverified_header(proof)
    bundles, logins = ((KEYS / f"{name}.pem").read_text() for name in ("ed", "rsa"))

    def signed(key=bundles, header=header, **changes):
        return jwt.encode(changed(proof, **changes), key, header["alg"], header)

    now = int(time.time())
    cognito.expect("no token", None, INVALID)
    cognito.expect("the login token", login, INVALID)
    cognito.expect("the proof", proof, ACCEPTED)
    # The next ones differ from this by their change alone.
    cognito.expect("signed by the bundle's key", signed(), ACCEPTED)
    cognito.expect("signed by another", signed(key=ed25519.Ed25519PrivateKey.generate()), INVALID)
    cognito.expect("signed by the login", signed(logins, jwt.get_unverified_header(login)), INVALID)
    cognito.expect("expired", signed(exp=now - 1), INVALID)
    cognito.expect("of another issuer", signed(iss=claims_of(login)["iss"]), INVALID)
    cognito.expect("for another client", signed(client_id="mobile-client"), INVALID)
    cognito.expect("not verified", signed(isMfaVerified=False), INVALID)
    cognito.expect("with an old factor", signed(auth_time=now - 301), NO_FACTOR)


def rsa_pem():
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


SIGNING_KEYS = {"RS256": rsa_pem, "ES256": (KEYS / "ec.pem").read_text, "EdDSA": (KEYS / "ed.pem").read_text}
VERDICTS = """\
jose accepts
jose refuses: no applicable key found in the JSON Web Key Set
aws-jwt-verify accepts
aws-jwt-verify refuses: JWK for kid "login" not found in the JWKS
express-oauth2-jwt-bearer accepts
express-oauth2-jwt-bearer refuses: 401 no applicable key found in the JSON Web Key Set
"""


@pytest.mark.parametrize("algorithm", SIGNING_KEYS)
def test_stock_verifiers_accept_tokens_of_the_bundle_and_refuse_those_of_the_login(algorithm, jwt):
    folder = with_packages("stock-verifiers", "package.json", NPM)
    signing_key = f"MFA_SIGNING_KEY={SIGNING_KEYS[algorithm]()}"
    with Issuer(f"mfa-local-{algorithm}", "--login", "auth0", "--set", signing_key) as bundle:
        mfa = Client(bundle.url)
        login = mfa.sign_in(sub="carol", email="carol@example.com")
        mfa.ok("POST", "/auth/mfa/challenge", {"method": "email"}, login)
        [mail] = mfa.ok("GET", "/__local/inbox")
        code = {"method": "email", "otp": mail["code"]}
        proof = mfa.ok("POST", "/auth/mfa/verify", code, login)["accessToken"]
        expect("algorithm", jwt.get_unverified_header(proof)["alg"], algorithm)

        issuer, audience = bundle.url, claims_of(login)["aud"][0]
        command = ["node", "verify.mjs", issuer, audience, proof, login]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
        assert (ran.stdout, ran.returncode) == (VERDICTS, 0), ran.stderr

        keys = jwt.PyJWKClient(mfa.ok("GET", "/.well-known/openid-configuration")["jwks_uri"])
        by_pyjwt = lambda token: jwt.decode(
            token, keys.get_signing_key_from_jwt(token), [algorithm], issuer=issuer, audience=audience
        )
        expect("PyJWT", by_pyjwt(proof)["sub"], claims_of(login)["sub"])
        with pytest.raises(jwt.PyJWKClientError, match="signing key"):
            by_pyjwt(login)
