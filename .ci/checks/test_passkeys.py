"""Shows in Chromium, with its virtual authenticators, that the JavaScript of docs/passkeys.md registers
passkeys and uses them, and what people see who cancel, lose a key or are on a wrong page.
"""

import json
import re
import socket
from contextlib import contextmanager

import pytest
from kit import DEBUG, ROOT, Client, Program, expect
from selenium import webdriver

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage""".split() + [
    "--host-resolver-rules=MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
]

[FRONT_END] = re.findall(r"^```js\n(.*?)^```$", (ROOT / "docs" / "passkeys.md").read_text(), re.M | re.S)

# Calls a function of the page on docs/passkeys.md, and gives what it returns or what it throws.
RUN = """
    const [token, body, done] = arguments;
    const call = async (route, body) => {
        const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
        const answer = await fetch(`/auth/mfa/${route}`, { method: "POST", headers, body: JSON.stringify(body) });
        const reply = await answer.json();
        if (!answer.ok) throw Object.assign(new Error(reply.message), { name: reply.code });
        return reply;
    };
    %s
    %s.then((reply) => done(reply), (error) => done({ thrown: error.name }));"""


class Bundle(Program):
    """`mfa-local` on a port that is known before, because the origin of its page has it."""

    def __init__(self, name, *settings, origin=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.page = f"http://localhost:{port}"
        given = ["MFA_METHODS=totp,passkey", "MFA_PASSKEY_RP_ID=localhost", f"MFA_PASSKEY_ORIGINS={origin or self.page}"]
        options = [word for setting in [*given, *settings] for word in ("--set", setting)]
        super().__init__(name, DEBUG, "--port", port, *options)
        self.url = self.wait_for_line(r"Serving the MFA bundle at (http://\S+)")
        self.client = Client(self.url)


class Browser:
    def __init__(self, driver):
        self.driver = driver
        driver.execute_cdp_cmd("WebAuthn.enable", {})
        self.keys = []

    def plug_in(self, resident=True, verifies=True, verified=True):
        """A new authenticator, the only one that is there."""
        self.unplug()
        options = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasResidentKey": resident,
            "hasUserVerification": verifies,
            "isUserVerified": verified,
            "automaticPresenceSimulation": True,
        }
        added = self.driver.execute_cdp_cmd("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.keys.append(added["authenticatorId"])

    def unplug(self):
        for key in self.keys:
            self.driver.execute_cdp_cmd("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": key})
        self.keys = []

    def verify_people(self, works):
        for key in self.keys:
            self.driver.execute_cdp_cmd("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": works})

    def credentials(self):
        """Of the authenticator, as the browser tells them. They can be put into another one."""
        return self.driver.execute_cdp_cmd("WebAuthn.getCredentials", {"authenticatorId": self.keys[0]})["credentials"]

    def put_in(self, credentials):
        for credential in credentials:
            command = {"authenticatorId": self.keys[0], "credential": credential}
            self.driver.execute_cdp_cmd("WebAuthn.addCredential", command)

    def register(self, token, name="Key"):
        return self.driver.execute_async_script(RUN % (FRONT_END, "registerPasskey(call, body)"), token, name)

    def use(self, token):
        return self.driver.execute_async_script(RUN % (FRONT_END, "usePasskey(call)"), token, None)


@contextmanager
def opened(page, folder):
    options = webdriver.ChromeOptions()
    for flag in [*FLAGS, f"--user-data-dir={folder}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options)
    try:
        driver.set_script_timeout(30)
        driver.get(page)
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def bundle():
    with Bundle("mfa-local-for-passkeys") as bundle:
        yield bundle


def wait_a_second(bundle):
    bundle.client.ok("POST", "/__local/clock", {"advance": 1})


def names(bundle, token):
    return {device["deviceName"]: device for device in bundle.client.ok("GET", "/auth/mfa/devices", token=token)}


DONE = {"message": "Device setup successfully"}


@pytest.mark.parametrize("resident", [True, False])
def test_a_person_registers_two_keys_loses_one_and_goes_on_with_the_other(bundle, tmp_path, resident):
    user = f"resident-{resident}"
    alice = bundle.client.sign_in(sub=user)
    with opened(bundle.page, tmp_path) as browser:
        browser.plug_in(resident=resident)
        expect("register", browser.register(alice, "First"), DONE)
        expect("register the same key again", browser.register(alice, "Again"), {"thrown": "InvalidStateError"})
        wait_a_second(bundle)
        used = browser.use(alice)
        expect("use", used.get("message"), "2FA verification successful")
        first = browser.credentials()

        browser.plug_in(resident=resident)
        expect("use a key that is not registered", browser.use(alice), {"thrown": "NotAllowedError"})
        wait_a_second(bundle)
        expect("register a second key", browser.register(alice, "Second"), DONE)
        codes = bundle.client.ok("POST", "/auth/mfa/generate-recovery-code", {}, alice)["codes"]
        bundle.client.ok("POST", "/auth/mfa/toggle", {"enabled": True}, alice)
        wait_a_second(bundle)

        later = bundle.client.sign_in(sub=user)
        expect("a password alone registers nothing", browser.register(later), {"thrown": "MFA_REQUIRED"})
        proven = browser.use(later)["accessToken"]
        lost = names(bundle, proven)["First"]["id"]
        bundle.client.ok("DELETE", f"/auth/mfa/devices/{lost}", token=proven)
        browser.plug_in(resident=resident)
        browser.put_in(first)
        wait_a_second(bundle)
        later = bundle.client.sign_in(sub=user)
        expect("the lost key", browser.use(later), {"thrown": "NotAllowedError"})

        # Both are lost now. A recovery code is left.
        proven = bundle.client.ok("POST", "/auth/mfa/verify-recovery-code", {"code": codes[0]}, later)["accessToken"]
        expect("register after the recovery", browser.register(proven, "Third"), DONE)
        wait_a_second(bundle)
        expect("use after the recovery", "accessToken" in browser.use(bundle.client.sign_in(sub=user)), True)


def test_whoever_cancels_or_is_not_verified_can_try_again(bundle, tmp_path):
    alice = bundle.client.sign_in(sub="cancels")
    with opened(bundle.page, tmp_path) as browser:
        browser.plug_in()
        browser.verify_people(False)
        expect("register without a finger", browser.register(alice), {"thrown": "NotAllowedError"})
        browser.verify_people(True)
        expect("register", browser.register(alice), DONE)
        wait_a_second(bundle)
        browser.verify_people(False)
        expect("use without a finger", browser.use(alice), {"thrown": "NotAllowedError"})
        browser.verify_people(True)
        expect("use", "accessToken" in browser.use(alice), True)


def test_a_key_without_a_pin_is_taken_only_where_security_keys_are(bundle, tmp_path):
    alice = bundle.client.sign_in(sub="no-pin")
    with opened(bundle.page, tmp_path / "strict") as browser:
        browser.plug_in(resident=False, verifies=False)
        expect("register", browser.register(alice), {"thrown": "NotAllowedError"})
    with Bundle("mfa-local-for-keys", "MFA_PASSKEY_SECURITY_KEYS=true") as lax, opened(lax.page, tmp_path / "lax") as browser:
        alice = lax.client.sign_in(sub="no-pin")
        browser.plug_in(resident=False, verifies=False)
        expect("register", browser.register(alice), DONE)
        wait_a_second(lax)
        expect("use", "accessToken" in browser.use(alice), True)


def test_a_page_of_another_origin_registers_nothing(tmp_path):
    with Bundle("mfa-local-of-another-page", origin="https://localhost") as other, opened(other.page, tmp_path) as browser:
        alice = other.client.sign_in(sub="other-page")
        browser.plug_in()
        expect("register", browser.register(alice), {"thrown": "MFA_PASSKEY_INVALID"})
        expect("devices", other.client.ok("GET", "/auth/mfa/devices", token=alice), [])


def test_the_browser_itself_refuses_a_page_outside_of_the_relying_party(bundle, tmp_path):
    alice = bundle.client.sign_in(sub="outside")
    with opened(bundle.url, tmp_path) as browser:
        browser.plug_in()
        expect("register", browser.register(alice), {"thrown": "SecurityError"})


def test_the_front_end_takes_twenty_lines():
    lines = [line for line in FRONT_END.splitlines() if line.strip()]
    expect("lines", len(lines) <= 20, True)
    expect("calls", json.dumps(sorted(set(re.findall(r"call\('([\w-]+)'", FRONT_END)))), json.dumps(
        ["challenge-passkey", "setup-passkey", "verify-passkey", "verify-passkey-setup"]
    ))
