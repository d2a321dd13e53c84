"""The questions, and what makes an answer valid."""

import re
from typing import NamedTuple, Optional

from .aws import Failure


class Question(NamedTuple):
    """One answer, which becomes one parameter of the template."""

    flag: str
    text: str
    example: str
    # The pattern of the template. Unless there is a default, an empty answer does not match.
    pattern: str
    rule: str
    default: Optional[str] = None


# The providers, each with an issuer as its tokens name it.
PROVIDERS = {
    "cognito": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123",
    "auth0": "https://example.eu.auth0.com/",
    "firebase": "https://securetoken.google.com/example-project",
    "supabase": "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
    "keycloak": "https://id.example.com/realms/example",
    "clerk": "https://clerk.example.com",
    "okta": "https://example.okta.com/oauth2/default",
    "entra": "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
    "zitadel": "https://example.zitadel.cloud",
}
NEED_AUDIENCE = [name for name in PROVIDERS if name not in ("cognito", "supabase")]
LOGINS = [*PROVIDERS, "nest-auth", "custom", "several"]
NAME_OF_SECRET = (
    r"^[A-Za-z0-9/_+=.@-]{1,512}$|"
    r"^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}$"
)
ORIGIN = r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?"

QUESTIONS = {
    "AppName": Question(
        flag="--app-name",
        text="What is your application called? People see it in messages and in their authenticator app.",
        example="Example Bank",
        pattern=r"^[^:]*[^:\s][^:]*$",
        rule="1 to 32 letters, digits, blanks or plain punctuation, without a colon",
    ),
    "Methods": Question(
        flag="--methods",
        text="Which second factors do you offer?",
        example="totp,email",
        pattern=r"^(totp|email|sms|passkey)(,(totp|email|sms|passkey)){0,3}$",
        rule="totp, email, sms and passkey, each once, separated by commas, without spaces",
        default="totp",
    ),
    "Login": Question(
        flag="--login",
        text="Who signs the tokens of your login? `custom` is an application of your own, with a shared secret (HS256),"
        " or with a private key if --settings names MFA_JWT_ALGORITHM and the public key.",
        example="cognito",
        pattern=f"^({'|'.join(LOGINS)})$",
        rule=f"one of {', '.join(LOGINS)}",
        default="custom",
    ),
    "JwtIssuer": Question(
        flag="--issuer",
        text="Which issuer (iss) do these tokens name?",
        example=PROVIDERS["cognito"],
        pattern=r"^https://[^\s/]\S*$",
        rule="an https address, exactly as the tokens write it",
    ),
    "JwtAudience": Question(
        flag="--audience",
        text="Of which audiences (aud, client_id or azp) must they name one?",
        example="web-client,mobile-client",
        pattern=r"^$|^[^\s,]+(,[^\s,]+)*$",
        rule="names separated by commas, without spaces; empty if the tokens say that they are access tokens",
        default="",
    ),
    "LoginSecretName": Question(
        flag="--login-secret",
        text="Which secret in Secrets Manager holds what you share with your login?",
        example="mfa/login",
        pattern=NAME_OF_SECRET,
        rule="the name or the ARN of a secret in this account and region",
    ),
    "EmailFrom": Question(
        flag="--email-from",
        text="Who sends the codes by e-mail?",
        example="codes@example.com",
        pattern=r'^[^\s@<>"(),:;]+@[a-z0-9-]+(\.[a-z0-9-]+)+$',
        rule="an address alone, of an identity verified in SES, with its domain in lower case",
    ),
    "SmsDomain": Question(
        flag="--sms-domain",
        text="On which domain is your sign-in page? Phones offer the code of a text message only there.",
        example="example.com",
        pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$",
        rule="a host name in lower case, without scheme, port or path",
    ),
    "SmsCountries": Question(
        flag="--sms-countries",
        text="Which number prefixes may text messages go to? An exclamation mark refuses one.",
        example="+1,+44,!+4470",
        pattern=r"^(!\+[1-9][0-9]{0,14},)*\+[1-9][0-9]{0,14}(,!?\+[1-9][0-9]{0,14})*$",
        rule="prefixes of E.164 numbers, separated by commas, and not only refused ones (to send none, leave sms out of the"
        " methods)",
    ),
    "AllowedOrigins": Question(
        flag="--origins",
        text="Which web pages of other origins may call the API?",
        example="https://app.example.com",
        pattern=f"^$|^{ORIGIN}(,{ORIGIN})*$",
        rule="scheme, host and optional port of each, separated by commas, without slashes at the end",
        default="",
    ),
}

# Only these fit into a text message (GSM 03.38), besides letters and digits of ASCII.
GSM = " @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,-./;<=>?¡ÄÖÑÜ§¿äöñüà^{}\\[~]|€"

# Whether a login of one's own shares a secret is no question of its own: its algorithm says so.
PRIVATE_KEY = (
    " If it signs with a private key, stop here and begin again with"
    " --settings 'MFA_JWT_ALGORITHM=ES256 MFA_JWT_PUBLIC_KEY=…' (docs/deploy.md)."
)

OF_TEMPLATE = {
    "MFA_APP_NAME", "MFA_METHODS", "MFA_LOGIN", "MFA_JWT_ISSUER", "MFA_JWT_AUDIENCE", "MFA_EMAIL_FROM",
    "MFA_SMS_DOMAIN", "MFA_SMS_COUNTRIES", "MFA_SIGNING_PUBLIC_KEY", "MFA_TABLE", "MFA_DYNAMODB_ENDPOINT",
    "MFA_SES_ENDPOINT", "MFA_SNS_ENDPOINT", "MFA_END_USER_MESSAGING_ENDPOINT", "MFA_EVENTBRIDGE_ENDPOINT",
    "MFA_STACK",
}
OF_SECRETS = {"MFA_JWT_SECRET", "MFA_LOGINS", "MFA_SEALING_KEYS", "MFA_HASH_KEY", "MFA_SIGNING_KEY"}


def question_of(name, login, methods="sms"):
    """The question behind a parameter, as the login and the methods make it."""
    question = QUESTIONS[name]
    # Without a country, no text message is sent, as long as there is another method.
    if name == "SmsCountries" and methods != "sms":
        rule = "prefixes of E.164 numbers, separated by commas; empty sends none"
        return question._replace(pattern=f"^$|{question.pattern}", rule=rule)
    if name == "LoginSecretName" and login in ("custom", "nest-auth"):
        return question._replace(text=question.text + PRIVATE_KEY)
    if name == "JwtIssuer" and login in PROVIDERS:
        return question._replace(example=PROVIDERS[login])
    # The keys of the providers are found by it.
    if name == "JwtIssuer":
        rule = "what the tokens write, without spaces; empty if every issuer will do"
        return question._replace(pattern=r"^\S*$", rule=rule, default="")
    # Their tokens do not say what they are for. Others of theirs name other audiences.
    if name == "JwtAudience" and login in NEED_AUDIENCE:
        rule = "names separated by commas, without spaces"
        return question._replace(pattern=r"^[^\s,]+(,[^\s,]+)*$", rule=rule, default=None)
    return question


def fault(name, value, login="custom", methods="sms"):
    """What is wrong with an answer, or None."""
    question = question_of(name, login, methods)
    good = re.search(question.pattern, value)
    why = ""
    if name == "AppName":
        unfit = [c for c in dict.fromkeys(value) if not (c in GSM or c == ":" or (c.isascii() and c.isalnum()))]
        good = good and len(value) <= 32 and not unfit
        # Some characters cannot be seen.
        shown = ", ".join(c if c.isprintable() else ascii(c)[1:-1] for c in unfit)
        why = f" A text message cannot hold {shown}." if unfit else ""
    if name == "Methods":
        good = good and len(set(value.split(","))) == len(value.split(","))
    return None if good else f"{question.flag} {value!r} must be {question.rule}.{why} Example: {question.example}"


def read_settings(text):
    """The entries of Settings. An entry begins with MFA_NAME= at the start or after white space."""
    before, *parts = re.split(r"(?:^|(?<=\s))(MFA_[A-Z0-9_]*)=", text)
    entries = {name: value.strip() for name, value in zip(parts[::2], parts[1::2])}
    if before.strip() or len(entries) * 2 < len(parts):
        raise Failure("--settings must be entries such as MFA_REQUIRED=true, with blanks between them, each name once.")
    if len(text.encode()) > 4096:
        raise Failure("--settings must have at most 4096 bytes.")
    secret = [name for name, value in entries.items() if name in OF_SECRETS or "PRIVATE KEY" in value]
    if secret:
        raise Failure(f"--settings must not hold {', '.join(secret)}: secrets stand in Secrets Manager.")
    if known := sorted(entries.keys() & OF_TEMPLATE):
        raise Failure(f"--settings must not hold {', '.join(known)}: the template sets it.")
    return entries


def kind_of_login(login, settings):
    """Whether the login has a shared `secret` or public `keys`, or is `several`."""
    if login == "several":
        return "several"
    algorithm = settings.get("MFA_JWT_ALGORITHM") or ("RS256" if login in PROVIDERS else "HS256")
    return "secret" if algorithm.startswith("HS") else "keys"


def groups(answers, settings):
    """The six questions, each with its fields. What is asked depends on the answers before."""
    yield ["AppName"]
    yield ["Methods"]
    yield ["Login"]
    has_keys = kind_of_login(answers["Login"], settings) == "keys"
    yield ["JwtIssuer", "JwtAudience"] if has_keys else ["LoginSecretName"]
    methods = answers["Methods"].split(",")
    sender = ["EmailFrom"] * ("email" in methods) + ["SmsDomain", "SmsCountries"] * ("sms" in methods)
    if sender:
        yield sender
    yield ["AllowedOrigins"]


def answer_all(options, given, previous, settings):
    """All parameters that are asked for: from the options, from a person, or as the stack has them.

    Without a person, every missing and every invalid answer is reported at once.
    """
    answers, faults = {}, []
    for number, names in enumerate(groups(answers, settings), 1):
        for name in names:
            context = answers.get("Login"), answers.get("Methods")
            question = question_of(name, *context)
            default = previous.get(name) or question.default
            if name == "SmsCountries" and name in previous and not fault(name, previous[name], *context):
                default = previous[name]
            if name == "LoginSecretName":
                # Before there was this parameter, one secret held all.
                common = previous.get("SecretName") if name not in previous else None
                default = default or common or f"{options.stack}/login"
            value = given.get(name)
            if value is None and options.can_ask:
                mark = f"{number}." if name == names[0] else "  "
                value = ask(f"{mark} {question.text}", question, default, name, context)
            elif value is None and default is not None and (options.yes or name in previous):
                value = default
            elif value is None:
                faults.append(f"{question.flag} is missing. {question.text} Example: {question.example}")
            elif found := fault(name, value, *context):
                faults.append(found)
                value = None
            # The questions that follow depend on an answer, even if it was invalid.
            answers[name] = value if value is not None else default or ""
    others, wrong = unasked(answers, given, previous, settings)
    if faults or wrong:
        raise Failure("\n  ".join(["The answers are not complete, or wrong.", *faults, *wrong]))
    return {**others, **answers}


def unasked(answers, given, previous, settings):
    """The parameters that no question is for, and what is wrong with them.

    They do not stay as an earlier deployment had them, except those by which tokens are checked.
    """
    login = answers["Login"]
    stays = kind_of_login(login, settings) == "secret" and login == (previous.get("Login") or "custom")
    kept = {name: previous.get(name, "") for name in ("JwtIssuer", "JwtAudience") if stays}
    others = {name: given.get(name, kept.get(name, "")) for name in QUESTIONS if name not in answers}
    faults = [found for name, value in others.items() if value and (found := fault(name, value))]
    if others.get("LoginSecretName"):
        faults.append(
            "--login-secret is for a login that signs with it. If this one does, name the algorithm in --settings, such"
            " as MFA_JWT_ALGORITHM=HS256."
        )
    if login == "several" and (others.get("JwtIssuer") or others.get("JwtAudience")):
        faults.append("--login several has no --issuer and no --audience: its secret holds those of each login.")
    return others, faults


def ask(text, question, default, name, context):
    """Asks until the answer is valid. An empty line takes the default."""
    print(f"\n{text}\n   Answer with {question.rule}.\n   Example: {question.example}")
    while True:
        shown = "   > " if default is None else f"   [{default or 'none'}] > "
        value = input(shown).strip() or default or ""
        # Nothing is switched off by an empty line alone.
        found = fault(name, value, *context) if value or default is not None else fault(name, value)
        if not found:
            return value
        print(f"   {found}")


def agrees(options, text, flag):
    """Whether a person says yes. If nobody can be asked, an option must say it."""
    if options.yes:
        return True
    if not options.can_ask:
        raise Failure(f"{text.strip()} Say so with {flag}.")
    return input(f"{text} [yes] > ").strip().lower() in ("", "y", "yes")
