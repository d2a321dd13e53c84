"""Shows that an independent SES and SNS (moto) accept what the bundle sends, and that the codes
that arrive there verify.

It also shows that the caller is told if SES refuses the sender, and need not wait to send again.

Nobody emulates End User Messaging. There, botocore's model of the service checks what the bundle sends,
and boto3's own client reads what the inbox answers.

An independent EventBridge (moto) hands the events of the feed to a queue, as a rule there says.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import jsonschema
import pytest
from botocore.validate import ParamValidator
from kit import ROOT, SCRATCH, Client, Local, Program, Services, claims_of, expect, wait_for

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


def test_events_reach_the_target_of_a_rule_and_are_as_their_schema_says(aws):
    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    events, sqs = (boto3.client(name, endpoint_url=aws, **credentials) for name in ("events", "sqs"))
    bus = events.create_event_bus(Name="security")["EventBusArn"]
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["mfa"], "detail-type": ["address.proven", "mfa.on"]})
    events.put_rule(Name="told", EventBusName="security", EventPattern=pattern)
    events.put_targets(Rule="told", EventBusName="security", Targets=[{"Id": "told", "Arn": arn}])

    settings = ["--set", f"MFA_EVENT_BUS={bus}", "--set", f"MFA_EVENTBRIDGE_ENDPOINT={aws}"]
    with Local("mfa-local-events", *settings) as local:
        mfa = Client(local.url)
        token = mfa.sign_in(sub="alice", email="alice@example.com")
        mfa.ok("POST", "/auth/mfa/challenge", {"method": "email"}, token)
        code = [mail["code"] for mail in mfa.ok("GET", "/__local/inbox") if mail.get("code")][-1]
        mfa.ok("POST", "/auth/mfa/verify", {"method": "email", "otp": code}, token)
        mfa.ok("POST", "/auth/mfa/toggle", {"enabled": True}, token)
        arrived = []

        def have_arrived():
            messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            arrived.extend(json.loads(message["Body"]) for message in messages)
            for message in messages:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return len(arrived) >= 2

        wait_for("two events have not arrived", have_arrived, 20)
    expect("the types", [event["detail-type"] for event in arrived], ["address.proven", "mfa.on"])
    for event in arrived:
        schema = json.loads((ROOT / f"docs/events/{event['detail-type']}.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(event["detail"], schema)
        expect("the user", event["detail"]["userId"], "alice")
        expect("that no address is told", "example.com" in json.dumps(event), False)


VOICE = "pinpoint-sms-voice-v2"
POOL = "arn:aws:sms-voice:us-east-1:123456789012:pool/pool-0123456789abcdef"
CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}


def faults_by_the_model(call, shape):
    """What botocore's model says against a call: wrong names, types and lengths, and texts of another form."""
    report = ParamValidator().validate(call, shape)
    found = [report.generate_report()] if report.has_errors() else []
    found += [f"unknown: {name}" for name in call.keys() - shape.members.keys()]

    def check_texts(value, of, place):
        if of.type_name == "string":
            pattern = of.metadata.get("pattern")
            if of.enum and value not in of.enum or pattern and not re.fullmatch(pattern, value):
                found.append(f"{place}: {value}")
        elif of.type_name == "structure":
            for name in value.keys() & of.members.keys():
                check_texts(value[name], of.members[name], f"{place}/{name}")
        elif of.type_name == "map":
            for name, text in value.items():
                check_texts(name, of.key, place)
                check_texts(text, of.value, f"{place}/{name}")

    check_texts(call, shape, "")
    return found


def test_what_the_bundle_sends_is_a_call_as_botocore_models_it():
    operation = boto3.client(VOICE, **CREDENTIALS).meta.service_model.operation_model("SendTextMessage")
    metadata = operation.service_model.metadata
    calls = []

    class Recorder(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            calls.append((self.path, dict(self.headers), json.loads(body)))
            answer = json.dumps({"MessageId": f"id-{len(calls)}"}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    variables = {
        "MFA_SMS_SERVICE": "end-user-messaging",
        "MFA_SMS_ORIGINATION_IDENTITY": POOL,
        "MFA_SMS_CONFIGURATION_SET": "codes",
        "MFA_SMS_PROTECT_CONFIGURATION": "arn:aws:sms-voice:us-east-1:123456789012:protect-configuration/protect-1",
        "MFA_SMS_MAX_PRICE": "0.25",
        "MFA_SMS_DLT_ENTITY_ID": "1201159543060917386",
        "MFA_SMS_DLT_TEMPLATE_ID": "1107169412345678901",
    }
    settings = [word for name, value in variables.items() for word in ("--set", f"{name}={value}")]
    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with Local("mfa-local-voice", "--end-user-messaging", url, *settings) as local:
            mfa = Client(local.url)
            for number in ("+14155550123", "+919876543210"):
                token = mfa.sign_in(sub=number, phone=number)
                mfa.ok("POST", "/auth/mfa/challenge", {"method": "sms"}, token)
        server.shutdown()
    expect("calls", len(calls), 2)
    for path, headers, call in calls:
        headers = {name.lower(): value for name, value in headers.items()}
        expect("its path", path, operation.http["requestUri"])
        expect("its target", headers["x-amz-target"], f"{metadata['targetPrefix']}.{operation.name}")
        expect("its type", headers["content-type"], f"application/x-amz-json-{metadata['jsonVersion']}")
        expect("signed for", headers["authorization"].split("/")[3], metadata["signingName"])
        expect("its faults", faults_by_the_model(call, operation.input_shape), [])
    expect("ids of India", [call.get("DestinationCountryParameters") for _, _, call in calls],
           [None, {"IN_ENTITY_ID": "1201159543060917386", "IN_TEMPLATE_ID": "1107169412345678901"}])
    wrong = {"DestinationPhoneNumber": "no number", "MessageType": "LOUD", "Colour": "red"}
    expect("that the model finds faults", len(faults_by_the_model(wrong, operation.input_shape)), 4)


def test_boto3_reads_what_the_inbox_answers_for_end_user_messaging():
    env_file = SCRATCH / "voice.env"
    with Services("mfa-local-voice-inbox", env_file):
        endpoint = re.search(r"^MFA_END_USER_MESSAGING_ENDPOINT=\W*(http://[\d.:]+)", env_file.read_text(), re.M)[1]
        voice = boto3.client(VOICE, endpoint_url=endpoint, **CREDENTIALS)
        send = lambda number: voice.send_text_message(
            DestinationPhoneNumber=number, OriginationIdentity=POOL, MessageBody="123456", MessageType="TRANSACTIONAL"
        )
        expect("the id of a message", send("+14155550123")["MessageId"], "1")
        model = voice.meta.service_model
        for number, kind, reason in [
            ("+15550100123", "ValidationException", "INVALID_PARAMETER"),
            ("+15550101123", "ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT"),
            ("+15550102123", "ConflictException", "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"),
            ("+15550103123", "ConflictException", "DESTINATION_PHONE_NUMBER_NOT_VERIFIED"),
            ("+15550104123", "ServiceQuotaExceededException", "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"),
            ("+15550105123", "AccessDeniedException", "ACCOUNT_DISABLED"),
        ]:
            with pytest.raises(getattr(voice.exceptions, kind)) as raised:
                send(number)
            expect(f"the reason for {number}", raised.value.response["Reason"], reason)
            expect("that AWS has it", reason in model.shape_for(f"{kind}Reason").enum, True)
            declared = [of.name for of in model.operation_model("SendTextMessage").error_shapes]
            expect("that the call may fail so", kind in declared, True)
        fields = voice.exceptions.ValidationException
        with pytest.raises(fields) as raised:
            send("+15550100123")
        expect("the field", raised.value.response["Fields"][0]["Name"], "DestinationPhoneNumber")


def test_every_reason_that_the_bundle_knows_is_one_of_aws():
    model = boto3.client(VOICE, **CREDENTIALS).meta.service_model
    known = {reason for kind in ("Conflict", "Validation", "ServiceQuotaExceeded", "AccessDenied")
             for reason in model.shape_for(f"{kind}ExceptionReason").enum}
    source = (ROOT / "shared/src/delivery/end_user_messaging.rs").read_text().split("#[cfg(test)]")[0]
    named = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source))
    expect("reasons", len(named) >= 8, True)
    expect("reasons that AWS does not have", named - known, set())
