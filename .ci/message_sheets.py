"""Shows every message as people get it: one picture a language and a colour scheme.

Somebody must look at the pictures, so this is no step of CI: `bash .ci/run messages` makes them. They
need a debug build of the local server, Chromium, and the fonts of Debian's fonts-noto-core and
fonts-noto-cjk.

The pictures are target/ci/message-LANGUAGE-light.png and -dark.png: the e-mail as on a desk
(600 px), the same as on a phone (320 px), and the text message.
"""

import html
import subprocess

from kit import SCRATCH, Client, Local

LANGUAGES = ["en", "de", "fr", "es", "pt-BR", "it", "nl", "pl", "tr", "ja", "zh-Hans", "ar"]
# A small picture: dark letters on nothing, as many logos are.
LOGO = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='120' height='32'>"
    "<text x='0' y='24' font-family='sans-serif' font-size='24' font-weight='700'>Example</text></svg>"
)
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SETTINGS = {
    "MFA_EMAIL_LOGO_URL": "https://example.com/logo.png",
    "MFA_EMAIL_SUPPORT": "help@example.com",
    "MFA_EMAIL_COLOR": "#0f766e",
    "MFA_SMS_COUNTRIES": "+1",
}
SHEET = """<!doctype html><meta charset="utf-8"><style>
:root { color-scheme: light dark }
body { margin: 16px; display: flex; gap: 16px; font: 14px sans-serif; background: light-dark(#ffffff, #000000) }
iframe { border: 1px solid #888888; height: 760px }
p { width: 280px; align-self: start; unicode-bidi: plaintext; padding: 12px; border-radius: 12px; white-space: pre-wrap; background: light-dark(#e5e5ea, #26262a) }
</style><iframe width="600" srcdoc="%s"></iframe><iframe width="320" srcdoc="%s"></iframe><p>%s</p>"""


def messages(client, language):
    """The newest e-mail and text message of somebody who reads this language."""
    name = f"reader-{language}"
    # A number of one's own: one gets ten codes an hour.
    phone = f"+1415555{LANGUAGES.index(language):04}"
    claims = {"sub": name, "email": f"{name.lower()}@example.com", "phone": phone, "locale": language}
    token = client.ok("POST", "/__local/token", claims)["accessToken"]
    found = []
    for method in ("email", "sms"):
        status, answer = client.call("POST", "/auth/mfa/challenge", {"method": method}, token, **{"user-agent": BROWSER})
        assert status == 200, answer
        client.ok("POST", "/__local/clock", {"advance": 60})
        found.append([mail for mail in client.ok("GET", "/__local/inbox") if mail.get("code")][-1])
    return found


def picture(page, scheme, path):
    """Chromium's picture of a page. Its number for the dark scheme is 0."""
    number = {"dark": 0, "light": 1}[scheme]
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--blink-settings=preferredColorScheme={number}", "--window-size=1320,810", f"--screenshot={path}"]
    subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=120)


def main():
    options = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    with Local("mfa-local-messages", *options) as local:
        client = Client(local.url)
        for language in LANGUAGES:
            email, sms = messages(client, language)
            mail = html.escape(email["html"].replace(SETTINGS["MFA_EMAIL_LOGO_URL"], LOGO))
            page = SCRATCH / f"message-{language}.html"
            page.write_text(SHEET % (mail, mail, html.escape(sms["text"])))
            for scheme in ("light", "dark"):
                path = SCRATCH / f"message-{language}-{scheme}.png"
                picture(page, scheme, path)
                print(path)


if __name__ == "__main__":
    main()
