"""Shows that an independent SES and SNS (moto) accept what the bundle sends, and that the codes
that arrive there verify.

It also shows that the caller is told if SES refuses the sender, and need not wait to send again.
"""

import re

import boto3
import pytest
from kit import SCRATCH, Client, Local, Program, Services, claims_of, expect

SENDER = "no-reply@example.com"  # MFA_EMAIL_FROM of the local server


@pytest.fixture(scope="module")
def aws():
    """The address of moto."""
    moto_server = SCRATCH / "venv" / "bin" / "moto_server"
    with Program("moto", moto_server, "-H", "127.0.0.1", "-p", "0") as moto:
        yield moto.wait_for_line(r"Running on (http://\S+)")


@pytest.fixture(scope="module")
def local(aws):
    with Local("mfa-local-with-moto", "--ses", aws, "--sns", aws) as program:
        yield program


def test_codes_arrive_and_verify_and_a_refused_sender_is_told(mfa, aws):
    arrived = lambda service, kind: Client(aws).ok("GET", "/moto-api/data.json")[service][kind]
    token = mfa.sign_in(sub="moto-user", email="moto-user@example.com", phone="+14155550123")

    def challenge(method):
        status, answer = mfa.call("POST", "/auth/mfa/challenge", {"method": method}, token)
        return status, answer.get("code", answer["message"])

    def verify(method, code):
        body = {"method": method, "otp": code}
        return claims_of(mfa.ok("POST", "/auth/mfa/verify", body, token)["accessToken"])["amr"]

    expect("a sender that SES has not verified", challenge("email"), (503, "MFA_DELIVERY_FAILED"))
    expect("e-mails so far", arrived("ses", "Message"), [])

    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    ses = boto3.client("sesv2", endpoint_url=aws, region_name="us-east-1", **credentials)
    ses.create_email_identity(EmailIdentity=SENDER)
    expect("e-mail, at once", challenge("email"), (200, "MFA code sent successfully"))
    [email] = arrived("ses", "Message")
    expect("its sender", email["source"], SENDER)
    expect("its destination", email["destinations"], {"ToAddresses": ["moto-user@example.com"]})
    expect("its subject", email["subject"], "Your Example code")
    # moto keeps the HTML part and drops the text.
    code = email["body"].split('<p class="code"')[1].split(">")[1].split("<")[0]
    expect("its code is six digits", (len(code), code.isdigit()), (6, True))
    expect("it says how long the code is valid", "It is valid for 5 minutes and works once." in email["body"], True)
    expect("its code verifies", verify("email", code), ["mfa"])

    mfa.ok("POST", "/__local/clock", {"advance": 60})
    expect("text message", challenge("sms"), (200, "MFA code sent successfully"))
    [sms] = arrived("sns", "SMS")
    expect("its number", sms["phone_number"], "+14155550123")
    lines = sms["message"].splitlines()
    code = lines[0].split()[0]
    expect("its code is six digits", (len(code), code.isdigit()), (6, True))
    expect("its first line", lines[0], f"{code} is your Example code, valid 5 min. Never share it. Not you? Change your password.")
    expect("its last line", lines[-1], f"@example.com #{code}")
    expect("its code verifies", verify("sms", code), ["sms", "mfa"])


def test_the_inbox_answers_for_the_suppression_list_as_botocore_models_it():
    env_file = SCRATCH / "suppression.env"
    with Services("mfa-local-suppression", env_file):
        endpoint = re.search(r"^MFA_SES_ENDPOINT=\W*(http://[\d.:]+)", env_file.read_text(), re.M)[1]
        credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        ses = boto3.client("sesv2", endpoint_url=endpoint, region_name="us-east-1", **credentials)
        model = ses.meta.service_model.operation_model("GetSuppressedDestination").http
        expect("its path", model["requestUri"], "/v2/email/suppression/addresses/{EmailAddress}")
        found = ses.get_suppressed_destination(EmailAddress="a+b@suppressed.example")["SuppressedDestination"]
        expect("an address that is on it", (found["EmailAddress"], found["Reason"]), ("a+b@suppressed.example", "BOUNCE"))
        with pytest.raises(ses.exceptions.NotFoundException):
            ses.get_suppressed_destination(EmailAddress="a@example.com")
