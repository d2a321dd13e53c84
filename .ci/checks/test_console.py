"""Shows that a person gets through the console page in a real browser: along the guided path and by
hand, by mouse and by keyboard, on a desk and on a phone, without a script error and without a finding
of axe-core.

Pictures of the page, light and dark, wide and narrow, stay in target/ci/ as console-*.png.
"""

import base64
from contextlib import contextmanager

import pytest
from kit import SCRATCH, Client, Local, expect, fail, wait_for
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

AXE = SCRATCH / "package" / "axe.min.js"
# What axe finds, as lines of text. A mail is a document of its own, in a frame that runs nothing.
FINDINGS = """
    const [options, done] = arguments;
    const lines = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.any[0]?.message ?? ""}`);
    axe.run(document, { iframes: false, ...options }).then(({ violations }) => done(violations.flatMap(lines)), (error) => done([String(error)]));"""

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
        wait_for("the page is busy", lambda: body.get_attribute("data-busy") == "0", 60)

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
        messages = lambda: self.driver.find_elements(By.CSS_SELECTOR, f"li.message[data-channel={channel}]")
        return wait_for(f"a message by {channel}", messages)[0]

    def is_on(self, id):
        return self[id].get_attribute("aria-checked") == "true"

    def fact(self, name):
        """What the ledger says of it."""
        # In one step, because the page may draw the ledger anew at any moment.
        return self.driver.execute_script("return document.querySelector(`[data-fact='${arguments[0]}']`).innerText", name)

    def requests(self):
        """Those of the person, the newest first, as "200 POST /path"."""
        entries = self["log"].find_elements(By.TAG_NAME, "li")
        return [" ".join(entry.get_attribute(f"data-{name}") for name in ("status", "method", "path")) for entry in entries]

    def attempts(self):
        """How each attempt of an attacker ended."""
        items = self["attempts"].find_elements(By.TAG_NAME, "li")
        told = lambda item: f"{item.get_attribute('data-status')} {item.get_attribute('data-code') or ''}".strip()
        return {item.get_attribute("data-attempt"): told(item) for item in items}

    def set_scheme(self, scheme):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    @contextmanager
    def width(self, width, height=1000):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        yield
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def has_no_findings(self, where, **options):
        """Of axe, in both colour schemes, with all that is folded opened."""
        self.driver.execute_script("window.folded = [...document.querySelectorAll('details:not([open])')]")
        self.driver.execute_script("for (const details of window.folded) details.open = true")
        self.driver.execute_script(AXE.read_text())
        for scheme in ("light", "dark"):
            self.set_scheme(scheme)
            expect(f"axe, {where}, {scheme}", self.driver.execute_async_script(FINDINGS, options), [])
        self.driver.execute_script("for (const details of window.folded) details.open = false")

    def errors(self):
        """Chromium reports each 4xx as a resource that failed to load, but refusals are wanted here."""
        entries = [entry for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        return [entry["message"] for entry in entries if "Failed to load resource" not in entry["message"]]

    def picture(self, name, scheme, width):
        """Takes a picture of the whole page, and returns the colour of its background."""
        self.set_scheme(scheme)
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

    page.type("user-sub", "  ")
    page.press("sign-in")
    expect("sign in without an id", "user id" in page["sign-in-notice"].text, True)
    expect("the field says so too", page["user-sub"].get_attribute("aria-invalid"), "true")
    expect("which the page does not even ask for", page.requests(), [])

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
    code = mail.get_attribute("data-code")
    page.driver.switch_to.frame(mail.find_element(By.TAG_NAME, "iframe"))
    expect("the mail as it looks", page.driver.find_element(By.CLASS_NAME, "code").text, code)
    page.driver.switch_to.default_content()
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
    Client(local.url).ok("POST", "/__local/start-anew", {})
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


def told(page):
    """What the application is told, and its user's answer."""
    of_type = lambda name: page["feed"].find_elements(By.CSS_SELECTOR, f"[data-type='{name}'] .event-text")
    wait_for("the application is not told", lambda: of_type("authenticator.added") and of_type("mfa.on"), 20)
    expect("what is told", "An authenticator app or passkey was added." in of_type("authenticator.added")[0].text, True)
    page.driver.execute_script("document.querySelector('#feed .deny-event').click()")
    page.settled()
    expect("the answer that it was somebody else", page.notice("feed-notice"), "200")


def test_a_person_gets_through_every_section_of_the_page(page):
    journey(page)
    session(page)
    trusted_devices(page)
    told(page)
    light = page.picture("light", "light", 1440)
    dark = page.picture("dark", "dark", 1440)
    expect("light and dark differ", light != dark, True)
    page.picture("narrow", "light", 390)
    page.has_no_findings("after the journey")
    expect("errors of the page", page.errors(), [])



# The guided path: each step, its actions, and the outcome that the page shows.
PATH = {
    "sign-in": {"sign-in": "200"},
    "set-up": {"scan": "200", "confirm": "200"},
    "turn-on": {"turn-on": "200"},
    "verify": {"sign-in-again": "200", "verify": "200"},
    "lock": {"guess": "", "right-code": "429 ACCOUNT_LOCKED", "unlock": "200"},
    "email": {"send": "200", "enter": "200"},
    "recovery": {"make-codes": "200", "use-code": "200"},
    "trust": {"trust": "200", "return": "200"},
    "session": {"refresh": "200", "old-token": "401 REFRESH_TOKEN_INVALID"},
    "attacker": {"attack": ""},
}
# What an attacker gets who knows the password of somebody with MFA.
ATTEMPTS = {
    "status": "200",
    "devices": "200",
    "off": "401 MFA_REQUIRED",
    "add": "401 MFA_REQUIRED",
    "remove": "401 MFA_REQUIRED",
    "recovery": "401 MFA_REQUIRED",
    "sessions": "401 MFA_REQUIRED",
    "send": "200",
    "guess": "400 MFA_CODE_INVALID",
}


def five_were_judged(page):
    counts = {name: page[f"guess-{name}"].text for name in ("judged", "refused", "right")}
    expect("of the guesses", counts, {"judged": "5", "refused": "995", "right": "0"})
    expect("the counter", page["guess-count"].text, "5 counted: the account is locked")
    expect("the ledger", "5 in a row" in page.fact("Wrong codes"), True)
    expect("what changed is marked", page["ledger-facts"].find_elements(By.CSS_SELECTOR, "[data-fact=Lock][data-new=true]") != [], True)


def test_the_guided_path_leads_through_all_of_it(page):
    page.has_no_findings("before anybody signs in")
    for step, actions in PATH.items():
        expect("the step", page.driver.find_element(By.CSS_SELECTOR, "[aria-current=step]").get_attribute("id"), f"open-{step}")
        for action, outcome in actions.items():
            page.press(f"do-{action}")
            expect(f"{step}: {action}", page.notice("guide-notice"), outcome)
            if action == "guess":
                five_were_judged(page)
        page.has_no_findings(f"step {step}")
        if step in ("set-up", "lock", "email"):
            page.picture(f"path-{step}", "light", 1280)
        if step != "attacker":
            page.press("step-next")
    expect("all of it is done", page["guide-progress"].text, "10 of 10 done")
    expect("what the attacker got", page.attempts(), ATTEMPTS)
    page.newest_mail("email")

    for scheme in ("light", "dark"):
        for width in (360, 768, 1280):
            page.picture(f"path-{width}-{scheme}", scheme, width)
    with page.width(360):
        for screen in ("phone", "mailbox", "ledger"):
            page.press(f"screen-{screen}")
            expect("the screen shows alone", [name for name in ("phone", "mailbox", "ledger") if page[name].is_displayed()], [screen])
            page.has_no_findings(f"360 px, {screen}")
    expect("errors of the page", page.errors(), [])


def test_the_guided_path_can_be_left_and_resumed_and_begun_anywhere(page):
    page.press("do-sign-in")
    page.press("step-next")
    page.press("leave-guide")
    expect("left", page["guide-body"].is_displayed(), False)
    page.driver.refresh()
    page.settled()
    expect("still left after loading the page again", page["leave-guide"].text, "Resume at step 2")
    page.press("leave-guide")
    expect("resumed", page["step-title"].text, "Set up an authenticator")
    expect("the first step is done", page["open-sign-in"].get_attribute("data-done"), "true")

    page.press("open-trust")
    page.press("do-return")
    expect("a step in the middle does what it needs itself", page.notice("guide-notice"), "200")
    expect("and says so", "Before that, the page signed in as Alice" in page["guide-notice"].text, True)

    page.driver.refresh()
    page.press("do-return")
    expect("loaded again, the page has no secret any more", "Start anew" in page["guide-notice"].text, True)


def test_what_a_switch_does_is_undone_by_it_or_by_starting_anew(page):
    for name, message in (("ses", "email"), ("sns", "sms")):
        page.press(f"switch-{name}")
        expect(f"{name} is in trouble", page.is_on(f"switch-{name}"), True)
        page.press("try-sending")
        expect("Alice is told", page.notice("switch-notice"), "503 MFA_DELIVERY_FAILED")
        expect("the ledger gives the send back", "given back" in page.fact("Codes sent"), True)
        expect("nothing arrived", page.driver.find_elements(By.CSS_SELECTOR, f"li.message[data-channel={message}]"), [])
        page.press(f"switch-{name}")
        expect(f"{name} works again", page.is_on(f"switch-{name}"), False)
        page.press("try-sending")
        expect("Alice gets a code", page.notice("switch-notice"), "200")
        page.newest_mail(message)

    page.press("guesses")
    five_were_judged(page)
    page.press("close-guesses")
    page.press("day-passes")
    expect("a day has passed", "24:" in page["clock-offset"].text, True)
    page.press("switch-attacker")
    expect("the attacker is there", page["attacker"].is_displayed(), True)
    expect("and gets no further", page.attempts()["off"], "401 MFA_REQUIRED")
    page.press("switch-attacker")
    expect("and gone", page["attacker"].is_displayed(), False)
    page.press("switch-ses")

    page.driver.execute_script("document.getElementById('start-anew').click()")
    notice = "return document.getElementById('switch-notice')?.textContent ?? ''"
    wait_for("the page says that it began anew", lambda: "as it was at the start" in page.driver.execute_script(notice))
    expect("SES", page.is_on("switch-ses"), False)
    expect("the path", page["guide-progress"].text, "0 of 10 done")
    wait_for("the clock is back", lambda: page["clock-offset"].text == "agrees with your computer")
    page.press("do-sign-in")
    expect("nothing is known of Alice", "knows no Alice" in page["ledger-facts"].text, True)
    expect("no mail is left", page["inbox-count"].text, "")
    expect("errors of the page", page.errors(), [])


def test_requests_of_the_page_itself_are_folded_away(page):
    page.press("do-sign-in")
    page.press("do-sign-in")
    expect("requests of the person", page.requests(), ["200 POST /__local/token"] * 2)
    own = int(page["own-count"].text)
    expect("the page made others", own > 5, True)
    expect("which are folded away", page["own-log"].is_displayed(), False)
    page.driver.execute_script("document.getElementById('own').open = true")
    # In one step, because the page replaces these lines at any moment.
    lines = "return [...document.querySelectorAll('#own-log li')].map(({ dataset }) => `${dataset.method} ${dataset.path}`)"
    wanted = {f"GET {path}" for path in ("/__local/clock", "/__local/inbox", "/__local/ledger/alice", "/auth/mfa/status")}
    wait_for("a line for each kind of them", lambda: wanted <= set(page.driver.execute_script(lines)))
    kinds = page.driver.execute_script(lines)
    expect("and no more", len(kinds), len(set(kinds)))


def test_the_keyboard_reaches_everything_and_the_focus_shows(page):
    tab = lambda: ActionChains(page.driver).send_keys(Keys.TAB).perform()
    active = lambda: page.driver.switch_to.active_element
    tab()
    expect("first, a way past the bar", active().text, "Skip to the guided path")
    active().send_keys(Keys.ENTER)
    while active().get_attribute("id") != "do-sign-in":
        tab()
    active().send_keys(Keys.ENTER)
    page.settled()
    expect("sign in by keyboard", page.notice("guide-notice"), "200")
    expect("the focus stays", active().get_attribute("id"), "do-sign-in")
    page.press("guesses")  # so that there is more to reach
    page.press("method-email")
    page.press("send-code")

    # All that can be used: of each group of radio buttons, the chosen one.
    page.driver.execute_script("""
        const all = document.querySelectorAll("button, input, select, summary, iframe, a[href], [tabindex='0']");
        window.unreached = new Set([...all].filter((each) => each.checkVisibility() && !each.matches(":disabled")
            && (each.type !== "radio" || each.checked)));
        document.activeElement.blur();""")
    hidden = []
    for _ in range(250):
        tab()
        shows = page.driver.execute_script("""
            const at = document.activeElement;
            window.unreached.delete(at);
            if (at === document.body || at.tagName === "IFRAME") return true;
            const outlined = [at, at.closest("label")].some((each) => each && getComputedStyle(each).outlineStyle !== "none");
            const { top, bottom } = at.getBoundingClientRect();
            const bar = document.querySelector(".bar");
            const above = bar.contains(at) || at.className === "skip" ? 0 : bar.getBoundingClientRect().bottom;
            return outlined && bottom > above && top < innerHeight || `${at.tagName} ${at.id} ${at.className}`;""")
        if shows is not True:
            hidden.append(shows)
        if not page.driver.execute_script("return window.unreached.size"):
            break
    unreached = page.driver.execute_script("return [...window.unreached].map((each) => each.outerHTML.slice(0, 120))")
    expect("what the keyboard does not reach", unreached, [])
    expect("where the focus does not show", hidden, [])


def test_a_mail_is_readable_for_everybody_too(local, page):
    client = Client(local.url)
    client.ok("POST", "/auth/mfa/challenge", {"method": "email"}, client.sign_in(sub="alice", email="alice@example.com"))
    [mail] = client.ok("GET", "/__local/inbox")
    # Where the server shows it, no script runs, axe's neither.
    page.driver.get(f"data:text/html;charset=utf-8;base64,{base64.b64encode(mail['html'].encode()).decode()}")
    # A mail has no landmarks. WCAG asks for none.
    page.has_no_findings("a mail", runOnly=["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
