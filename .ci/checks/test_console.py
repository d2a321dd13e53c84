"""Shows that a person gets through the whole journey on the console page, in a real browser,
without a script error.

Pictures of the page, light and dark, wide and narrow, stay in target/ci/ as console-*.png.
"""

import base64
from contextlib import contextmanager

import pytest
from kit import SCRATCH, Local, expect, fail, wait_for
from selenium import webdriver
from selenium.webdriver.common.by import By

# The browser can reach only this machine, and makes no calls of its own.
FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --force-device-scale-factor=1
--window-size=1440,1000""".split() + ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


class Console:
    """The page. A comment in its script lists the ids."""

    def __init__(self, driver):
        self.driver = driver

    def __getitem__(self, id):
        return self.driver.find_element(By.ID, id)

    def settled(self):
        body = self.driver.find_element(By.TAG_NAME, "body")
        wait_for("the page is busy", lambda: body.get_attribute("data-busy") == "0", 15)

    def press(self, id):
        # A script clicks, because the bar at the top may cover the element.
        self.driver.execute_script("document.getElementById(arguments[0]).click()", id)
        self.settled()

    def type(self, id, text):
        self[id].clear()
        self[id].send_keys(text)

    def notice(self, id):
        """Status and code of the outcome of an action. Fails if the notice does not show."""
        notice = self[id]
        status, code = (notice.get_attribute(f"data-{name}") or "" for name in ("status", "code"))
        if not (notice.is_displayed() and notice.text):
            fail(f"{id} does not show")
        return f"{status} {code}".strip()

    def watch_tokens(self):
        """From now on, notes the bearer token of each call, and the login that it names."""
        self.driver.execute_script("""
            window.sentTokens = [];
            const real = window.fetch;
            window.fetch = (path, options) => {
                const bearer = options?.headers?.authorization;
                if (bearer) window.sentTokens.push([bearer, claimsOf(bearer).sessionId]);
                return real(path, options);
            };""")

    def sent_tokens(self):
        return self.driver.execute_script("return window.sentTokens")

    def claim(self, name, of="verified-claims"):
        return self[of].find_element(By.CSS_SELECTOR, f"[data-claim={name}]").text

    def trusted_devices(self):
        return [label.text for label in self["trusted-devices"].find_elements(By.CSS_SELECTOR, "li[data-id] b")]

    def sessions(self):
        """Of each listed session, whether it is this one."""
        return [item.get_attribute("data-current") for item in self["sessions"].find_elements(By.CSS_SELECTOR, "li[data-id]")]

    def end_the_first(self):
        id = self["sessions"].find_element(By.CSS_SELECTOR, "li[data-id]").get_attribute("data-id")
        self.press(f"end-{id}")
        self.press(f"confirm-end-{id}")

    def revoke_the_first(self):
        id = self["trusted-devices"].find_element(By.CSS_SELECTOR, "li[data-id]").get_attribute("data-id")
        self.press(f"revoke-{id}")
        self.press(f"confirm-revoke-{id}")

    def use_mail(self, channel):
        button = self.newest_mail(channel).find_element(By.CLASS_NAME, "use-code")
        self.driver.execute_script("arguments[0].click()", button)

    def newest_mail(self, channel):
        mails = lambda: self["inbox"].find_elements(By.CSS_SELECTOR, f"li[data-channel={channel}]")
        return wait_for(f"a message by {channel}", mails)[0]

    def picture(self, name, scheme, width):
        """Takes a picture of the whole page, and returns the colour of its background."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        height = self.driver.execute_script("scrollTo(0, 0); return document.documentElement.scrollHeight")
        overflow = self.driver.execute_script("return document.documentElement.scrollWidth") > width
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | {"height": height})
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        background = self.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        (SCRATCH / f"console-{name}.png").write_bytes(base64.b64decode(shot["data"]))
        expect(f"picture {name}: it scrolls sideways", overflow, False)
        return background


def journey(page):
    expect("the page is open", page.driver.title, "mfa · local console")
    expect("without a login, the button is enabled", page["refresh"].is_enabled(), False)

    page.watch_tokens()
    page.press("user-alice")
    page.press("sign-in")
    expect("sign in", page.notice("sign-in-notice"), "200")
    expect("status", page["status-lamp"].text, "MFA is off for alice")

    page.press("setup")
    expect("set up", page.notice("setup-notice"), "200")
    expect("the picture is drawn", page.driver.execute_script("return qr.complete && qr.naturalWidth > 100"), True)
    expect("the secret", len(page["secret"].get_attribute("textContent")), 32)
    page.type("setup-code", "12345")
    page.press("confirm-setup")
    expect("confirm with five digits", page.notice("confirm-notice"), "400 INVALID_INPUT")
    page.press("compute-setup-code")
    expect("the code is computed", len(page["setup-code"].get_property("value")), 6)
    first_code = page["setup-code"].get_property("value")
    page.press("confirm-setup")
    expect("confirm", page.notice("confirm-notice"), "200")
    devices = page["devices"].find_elements(By.CSS_SELECTOR, "li[data-verified=true]")
    expect("confirmed devices", len(devices), 1)
    id = devices[0].get_attribute("data-id")
    page.press(f"rename-{id}")
    page.type(f"name-{id}", "Work phone")
    page.press(f"save-name-{id}")
    expect("rename", page.notice("remove-notice"), "200")
    expect("the name", page["devices"].find_element(By.CSS_SELECTOR, "li[data-verified=true] b").text, "Work phone")

    tokens, logins = zip(*page.sent_tokens())
    expect("each call carries a renewed token", len(set(tokens)), len(tokens))
    expect("of the same login", (len(tokens) > 5, len(set(logins))), (True, 1))
    page.press("enable")
    expect("turn on", page.notice("toggle-notice"), "200")
    expect("status", page["status-lamp"].text, "MFA is on for alice")
    page.press("method-email")
    page.press("send-code")
    page.use_mail("email")
    page.press("verify")
    expect("prove the address", page.notice("verify-notice"), "200")
    page.press("clock-advance-30")

    page.press("sign-in")
    page.press("disable")
    expect("turn off with a new login", page.notice("toggle-notice"), "401 MFA_REQUIRED")

    page.press("method-email")
    page.press("send-code")
    expect("send by e-mail", page.notice("send-notice"), "200")
    page.type("code", "000000" if page.newest_mail("email").get_attribute("data-code") != "000000" else "000001")
    page.press("verify")
    expect("verify a wrong code", page.notice("verify-notice"), "400 VERIFICATION_CODE_INVALID")
    mail = page.newest_mail("email")
    page.driver.execute_script("arguments[0].click()", mail.find_element(By.CLASS_NAME, "show-html"))
    page.driver.execute_script("arguments[0].click()", mail.find_element(By.CLASS_NAME, "use-code"))
    expect("the code of the inbox is used", page["code"].get_property("value"), mail.get_attribute("data-code"))
    page.press("verify")
    expect("verify", page.notice("verify-notice"), "200")
    expect("claim isMfaVerified", page.claim("isMfaVerified"), "true")
    expect("claim amr", page.claim("amr"), '["mfa"]')
    expect("claim sub", page.claim("sub"), "alice")
    expect("calls carry the verified token", page["token-verified"].is_selected(), True)

    page.press("method-totp")
    page.type("code", first_code)
    page.press("verify")
    expect("verify the set-up code again", page.notice("verify-notice"), "400 MFA_CODE_INVALID")
    page.press("clock-advance-30")
    page.press("compute-code")
    page.press("verify")
    expect("verify the next code of the authenticator", page.notice("verify-notice"), "200")
    expect("claim amr", page.claim("amr"), '["otp","mfa"]')

    page.press("clock-advance-30")
    page.press("method-sms")
    page.press("send-code")
    expect("send by text message", page.notice("send-notice"), "200")
    page.use_mail("sms")
    page.press("trust-device")
    page.press("verify")
    expect("verify", page.notice("verify-notice"), "200")
    expect("claim amr", page.claim("amr"), '["sms","mfa"]')

    listed = page["log"].find_elements(By.CSS_SELECTOR, "li[data-path='/auth/mfa/verify']")
    expect("requests listed", [entry.get_attribute("data-status") for entry in listed], ["200", "200", "400", "200", "400", "200"])


def session(page):
    page.press("clock-advance-900")
    expect("the verified token has expired", page.notice("status-notice"), "401 INVALID_TOKEN")
    page.press("refresh-session")
    expect("refresh the session", page.notice("session-notice"), "200")
    for name in ["amr", "auth_time"]:
        expect(f"claim {name} stays", page.claim(name, of="session-claims"), page.claim(name))
    expect("claim exp is a new one", page.claim("exp", of="session-claims") != page.claim("exp"), True)
    page.press("refresh")
    expect("status", page["status-lamp"].text, "MFA is on for alice")

    page.press("repeat-refresh")
    expect("send the last refresh token again", page.notice("session-notice"), "200")
    page.press("clock-advance-30")
    page.press("repeat-refresh")
    expect("send it once more, later", page.notice("session-notice"), "401 REFRESH_TOKEN_INVALID")
    page.press("refresh-session")
    expect("that ended the session", page.notice("session-notice"), "401 REFRESH_TOKEN_INVALID")


def trusted_devices(page):
    page.press("use-trust")
    expect("sign in again by the trusted device", page.notice("trust-notice"), "200")
    expect("claim amr", page.claim("amr"), '["mfa"]')
    expect("list under a proof that is older than 15 minutes", page.notice("trusted-notice"), "401 MFA_REQUIRED")
    page.press("disable")
    expect("turn off under it", page.notice("toggle-notice"), "401 MFA_REQUIRED")

    page.press("method-email")
    page.press("send-code")
    page.use_mail("email")
    expect("the box is still ticked", page["trust-device"].is_selected(), True)
    page.press("verify")
    expect("verify", page.notice("verify-notice"), "200")
    expect("trusted devices", page.trusted_devices(), ["Chrome on Linux", "Chrome on Linux"])
    page.revoke_the_first()
    expect("revoke", page.notice("revoke-notice"), "200")
    expect("trusted devices", page.trusted_devices(), ["Chrome on Linux"])

    page.press("generate-recovery")
    page.press("take-recovery")
    page.press("recovery-trust-device")
    page.press("use-recovery")
    expect("recovery code", page.notice("use-recovery-notice"), "200")
    expect("it ended the trust before it", page.trusted_devices(), ["Chrome on Linux"])
    page.press("use-trust")
    expect("sign in again by the trusted device", page.notice("trust-notice"), "200")
    page.press("refresh-session")
    expect("refresh the session", page.notice("session-notice"), "200")
    page.revoke_the_first()
    expect("trusted devices", page.trusted_devices(), [])
    page.press("use-trust")
    expect("sign in again by a device that was revoked", page.notice("trust-notice"), "404 MFA_DEVICE_NOT_FOUND")

    # Sessions, and how they end.
    page.press("take-recovery")
    page.press("use-recovery")
    expect("the recovery code ended all others", page.sessions(), ["true"])
    page.press("sign-out")
    expect("sign out", page.notice("end-notice"), "200")
    expect("sessions", page.sessions(), [])
    page.press("sign-in")
    page.press("take-recovery")
    page.press("use-recovery")
    page.press("end-others")
    expect("end all others", page.notice("end-notice"), "200")
    expect("sessions", page.sessions(), ["true"])
    page.end_the_first()
    expect("end one session", page.notice("end-notice"), "200")
    expect("sessions", page.sessions(), [])

    # The pictures show these sections too.
    page.press("take-recovery")
    page.press("use-recovery")
    page.press("refresh-session")
    expect("refresh the session", page.notice("session-notice"), "200")


@contextmanager
def opened(url, tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in [*FLAGS, f"--user-data-dir={tmp_path}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        driver.get(url)
        yield Console(driver)
    finally:
        driver.quit()


@pytest.fixture
def page(local, tmp_path):
    with opened(local.url, tmp_path) as page:
        yield page


def test_the_page_goes_with_logins_whose_name_others_share(tmp_path):
    with Local("mfa-local-for-console", "--login", "okta") as local, opened(local.url, tmp_path) as page:
        page.press("user-alice")
        page.press("sign-in")
        page.press("setup")
        page.press("compute-setup-code")
        page.press("confirm-setup")
        page.press("enable")
        expect("turn on", page.notice("toggle-notice"), "200")


def test_a_person_gets_through_every_section_of_the_page(page):
    journey(page)
    session(page)
    trusted_devices(page)
    light = page.picture("light", "light", 1440)
    dark = page.picture("dark", "dark", 1440)
    expect("light and dark differ", light != dark, True)
    page.picture("narrow", "light", 390)
    # Chromium reports each 4xx as a resource that failed to load, but refusals are wanted here.
    entries = [entry for entry in page.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    errors = [entry["message"] for entry in entries if "Failed to load resource" not in entry["message"]]
    expect("errors of the page", errors, [])
