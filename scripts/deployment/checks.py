"""What must hold before a deployment changes anything."""

import base64
import getpass
import hashlib
import hmac
import json
import re
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

from .aws import AwsError, Failure, aws, secret_of
from .questions import NAME_OF_SECRET, agrees

# The field e_machine of an ELF header.
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}
JWT_SECRET_RULE = "at least 32 bytes, and no white space at either end"

# The default of the template.
SMS_SPEND_ALARM_USD = "0.8"


def release_folder(source, architecture):
    """The folder with template.yaml and the functions. An archive is unpacked beside itself."""
    if not source:
        root = Path(__file__).resolve().parent.parent.parent
        # A release holds this script too.
        is_release = (root / "SHA256SUMS").exists()
        built = (root / "target" / "dist").glob(f"mfa-*-{architecture or 'arm64'}/template.yaml")
        source = root if is_release else max((t.parent for t in built), key=lambda f: f.stat().st_mtime, default=None)
    if not source:
        raise Failure("target/dist has no built functions. Run scripts/build, or name a release with --from.")
    folder = Path(source)
    if not folder.exists():
        raise Failure(f"There is no {folder} (--from).")
    if folder.is_file():
        target = folder.parent / re.sub(r"\.(tar(\.\w+)?|tgz|zip)$", "", folder.name)
        # Refuses entries that lead out of the folder. `zipfile` never follows them.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") and folder.suffix != ".zip" else {}
        shutil.unpack_archive(folder, target, **safe)
        folder = next((found.parent for found in sorted(target.rglob("template.yaml"))), target)
    if not (folder / "template.yaml").exists():
        raise Failure(f"{folder} has no template.yaml. Name the folder or the archive of a release with --from.")
    return folder


def check_release(folder, architecture):
    """Compares the files with SHA256SUMS, and the processor of each function with that of the template.

    Returns that processor.
    """
    sums = folder / "SHA256SUMS"
    for line in sums.read_text().splitlines() if sums.exists() else []:
        wanted, name = line[:64], line[66:]
        if not (folder / name).is_file() or hashlib.sha256((folder / name).read_bytes()).hexdigest() != wanted:
            raise Failure(f"{folder / name} is not the file that SHA256SUMS names. Fetch or build the release again.")
    text = (folder / "template.yaml").read_text()
    named = re.search(r"Architectures:\s*(?:\[\s*|-\s*)['\"]?(arm64|x86_64)", text)
    # AWS takes x86_64 if a template names none.
    processor = named.group(1) if named else "x86_64"
    if architecture and processor != architecture:
        raise Failure(f"{folder} is for {processor}, not for {architecture}. Name another one with --from.")
    for uri in sorted(set(re.findall(r"CodeUri:\s*['\"]?([^\s'\"]+)", text))):
        found = machine_of(folder / uri)
        if found != processor:
            raise Failure(f"{folder / uri} is for {found}, not for {processor}.")
    return processor


def machine_of(code):
    """The processor that a function's `bootstrap` is built for."""
    try:
        if code.is_dir():
            head = (code / "bootstrap").read_bytes()[:20]
        else:
            with zipfile.ZipFile(code) as archive, archive.open("bootstrap") as bootstrap:
                head = bootstrap.read(20)
    except (OSError, KeyError, zipfile.BadZipFile):
        raise Failure(f"{code} holds no function (bootstrap). Build it with scripts/build.") from None
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return "no Linux machine"
    return MACHINES.get(struct.unpack_from("<H", head, 18)[0], "another processor")


def decoded(text):
    """The bytes of a base64 text, or None if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        return None


def fingerprint(hash_key):
    """What the table notes of the hash key: `Keys::fingerprint` of shared/src/domain/keys.rs."""

    def mac(key, text):
        return hmac.new(key, text, hashlib.sha256).digest()

    # HKDF (RFC 5869) with one block of output.
    limit = mac(mac(b"mfa/v1", decoded(hash_key)), b"limit\x01")
    framed = b"".join(struct.pack(">Q", len(part)) + part for part in (b"hash key", b"fingerprint"))
    return mac(limit, framed)[:16]


def table_fingerprint(table):
    """The fingerprint in a table. Empty if nobody has used the table yet, None if there is no such table."""
    key = {"pk": {"S": "BUNDLE"}, "sk": {"S": "HASH_KEY"}}
    try:
        found = aws("dynamodb", "get-item", "--table-name", table, "--key", json.dumps(key), "--consistent-read")
    except AwsError as error:
        if "ResourceNotFoundException" in str(error):
            return None
        raise
    return base64.b64decode(found["Item"]["fingerprint"]["B"]) if found.get("Item") else b""


def check_table(table):
    """Refuses a named table that is not there, before anything is asked."""
    if table and table_fingerprint(table) is None:
        raise Failure(f"There is no table {table} in this account and region (--existing-table).")


def kept_tables(stack):
    """The tables that earlier stacks of this name left, and what they note of the hash key."""
    of_stack = ["--tag-filters", f"Key=mfa:stack,Values={stack}", "--resource-type-filters", "dynamodb:table"]
    try:
        found = aws("resourcegroupstaggingapi", "get-resources", *of_stack)["ResourceTagMappingList"]
    except AwsError as error:
        raise Failure(f"Whether an earlier stack left a table cannot be seen. Say so with --existing-table.\n  {error}")
    names = [table["ResourceARN"].rpartition("table/")[2] for table in found]
    return {name: table_fingerprint(name) for name in names}


def choose_kept_table(options):
    """The table of an earlier stack to go on with. Empty if there is none, or if a person wants a new one."""
    marks = kept_tables(options.stack)
    used = [name for name, mark in marks.items() if mark]
    if len(used) > 1:
        raise Failure(
            f"Earlier stacks left the tables {', '.join(used)}. Choose one with --existing-table, or begin anew with"
            " --existing-table ''."
        )
    for name in marks.keys() - used:
        print(f"\nThe table {name} of an earlier stack {options.stack} was never used. It is left alone.")
    for name in used:
        question = f"\nThe table {name} of an earlier stack {options.stack} is still there. Go on with it?"
        if agrees(options, question, f"--existing-table {name}, or begin anew with --existing-table ''"):
            return name
    return ""


def fitting_secret(stack, mark):
    """The secret that a stack of this name made with the hash key that a table notes. Empty if there is none."""
    found = aws("secretsmanager", "list-secrets", "--filters", "Key=tag-key,Values=mfa:stack")["SecretList"]
    # A filter of Secrets Manager matches beginnings too.
    names = [secret["Name"] for secret in found if {"Key": "mfa:stack", "Value": stack} in secret.get("Tags", [])]
    for name in names:
        hash_key = (secret_of(name) or {}).get("hashKey")
        if decoded(hash_key) and fingerprint(hash_key) == mark:
            return name
    return ""


def choose_table(options, stack, kind):
    """The parameters about the table and the keys. Refuses a hash key that is not that of the table.

    `stack` has the parameters and outputs of the present stack, if there is one.
    """
    before, outputs = stack or ({}, {})
    table, secret = options.existing_table, options.secret_name
    if secret and not re.search(NAME_OF_SECRET, secret):
        raise Failure(f"--secret-name {secret} must be the name or the ARN of a secret in this account and region.")
    if table is None:
        table = before.get("ExistingTableName", "") if stack else choose_kept_table(options)
    if secret is None:
        secret = before.get("SecretName", "")

    served = table or outputs.get("TableName")
    mark = table_fingerprint(served) if served else None
    if table and not secret:
        secret = fitting_secret(options.stack, mark)
    # If no secret is named, the stack keeps its own. If one was named before, it would make another.
    holder = secret or ("" if before.get("SecretName") else outputs.get("SecretName", ""))
    if (table and not secret) or (mark and not holder):
        raise Failure(f"Name the secret with the hash key of the table {served} with --secret-name.")
    if secret or mark:
        needed = ["sealingKeys", "hashKey"] + ["signingKey", "signingPublicKey"] * (kind != "secret")
        check_keys(holder, needed, served, mark)
    # A version is one of the secret that was named with it.
    is_same = secret == before.get("SecretName", "")
    version = before.get("SecretVersionId", "") if is_same else ""
    return {"ExistingTableName": table, "SecretName": secret, "SecretVersionId": version}


def check_keys(name, needed, table, mark):
    """Refuses a secret that lacks a key, or whose hash key is not the one that the table notes."""
    keys = secret_of(name)
    if keys is None:
        raise Failure(f"There is no secret {name}, or it is empty (--secret-name).")
    if lacking := [key for key in needed if not keys.get(key)]:
        raise Failure(f"The secret {name} lacks {', '.join(lacking)}.")
    if not are_sealing_keys(keys["sealingKeys"]):
        raise Failure(f"sealingKeys in the secret {name} must be id:base64-of-32-bytes with commas, each id once.")
    if len(decoded(keys["hashKey"]) or b"") < 32:
        raise Failure(f"hashKey in the secret {name} must be base64 of at least 32 bytes.")
    if mark and fingerprint(keys["hashKey"]) != mark:
        raise Failure(
            f"The hash key in the secret {name} is not that of the table {table}: every user would be one without"
            " MFA. Name the secret of this table with --secret-name."
        )


def are_sealing_keys(text):
    """Whether functions could read these keys."""
    pairs = [entry.strip().partition(":") for entry in str(text).split(",")]
    good = all(re.fullmatch(r"[\w-]{1,32}", name, re.A) and len(decoded(key) or b"") == 32 for name, _, key in pairs)
    return good and len({name for name, _, _ in pairs}) == len(pairs)


def are_logins(text):
    """Whether this is the text of a JSON list of objects. CloudFormation hands on texts alone."""
    try:
        entries = json.loads(text)
    except (TypeError, ValueError):
        return False
    return isinstance(entries, list) and bool(entries) and all(isinstance(entry, dict) for entry in entries)


def check_login_secret(options, name, kind):
    """Checks what the login's secret holds. Returns what is to be stored, if a person typed it."""
    key = "logins" if kind == "several" else "jwtSecret"
    held = secret_of(name)
    can_be_made = key == "jwtSecret" and not name.startswith("arn:")
    if held is None and can_be_made and options.can_ask and not options.dry_run:
        print(f"\nThere is no secret {name} yet. To store it there, type the secret that signs your login's tokens.")
        return json.dumps({"jwtSecret": typed_jwt_secret()})
    if held is None:
        raise Failure(
            f"There is no secret {name} (--login-secret). Write a JSON object with {key} to a file, and store it:\n"
            f"  aws secretsmanager create-secret --name {name} --secret-string file://login.json"
        )
    if not held.get(key):
        raise Failure(f"The secret {name} has no {key}.")
    if key == "jwtSecret" and not is_jwt_secret(held[key]):
        raise Failure(f"jwtSecret in the secret {name} must have {JWT_SECRET_RULE}.")
    if key == "logins" and not are_logins(held[key]):
        raise Failure(f"logins in the secret {name} must be a text that holds a JSON list (docs/deploy.md).")
    return None


def typed_jwt_secret():
    while not is_jwt_secret(text := getpass.getpass("   (hidden) > ")):
        print(f"   It must have {JWT_SECRET_RULE}.")
    return text


def is_jwt_secret(text):
    return isinstance(text, str) and len(text.encode()) >= 32 and text == text.strip()


def sns(told):
    """The service, whether it is in its sandbox, and how many dollars a month it may spend."""
    quota = told("sns", "get-sms-attributes").get("attributes", {}).get("MonthlySpendLimit", "inf")
    return "SNS", told("sns", "get-sms-sandbox-account-status").get("IsInSandbox"), quota


def end_user_messaging(told):
    """The same of End User Messaging."""
    client = "pinpoint-sms-voice-v2"
    attributes = told(client, "describe-account-attributes").get("AccountAttributes", [])
    limits = told(client, "describe-spend-limits").get("SpendLimits", [])
    of_text = [limit["EnforcedLimit"] for limit in limits if limit["Name"] == "TEXT_MESSAGE_MONTHLY_SPEND_LIMIT"]
    in_sandbox = {"Name": "ACCOUNT_TIER", "Value": "SANDBOX"} in attributes
    return "End User Messaging", in_sandbox, str(min(of_text, default="inf"))


def warnings_about(parameters):
    """What would keep codes and alarms from arriving, as far as AWS says."""

    def told(*words):
        try:
            return aws(*words)
        except AwsError:
            return {}

    if sender := parameters["EmailFrom"]:
        names = (sender, sender.rpartition("@")[2])
        identities = [told("sesv2", "get-email-identity", "--email-identity", name) for name in names]
        if not any(identity.get("VerifiedForSendingStatus") for identity in identities):
            yield f"SES has not verified {sender} or its domain here. Until it has, no code is sent by e-mail."
        if told("sesv2", "get-account").get("ProductionAccessEnabled") is False:
            yield "SES is in its sandbox: codes go to verified addresses alone. Ask AWS for production access."
    if parameters["SmsDomain"]:
        through = "MFA_SMS_SERVICE=end-user-messaging" in parameters.get("Settings", "")
        service, in_sandbox, quota = (end_user_messaging if through else sns)(told)
        if in_sandbox:
            yield f"{service} is in its sandbox: text messages go to verified numbers alone. Ask AWS to leave it."
        limit = parameters.get("SmsSpendAlarmUsd", SMS_SPEND_ALARM_USD)
        if float(limit) >= float(quota):
            yield f"{service} stops at {quota} dollars a month, before the alarm rings at {limit} (SmsSpendAlarmUsd)."
    if not parameters.get("AlarmEmail"):
        yield "Alarms tell nobody. Give --parameter AlarmEmail=ADDRESS, or subscribe to the topic AlarmTopicArn."
