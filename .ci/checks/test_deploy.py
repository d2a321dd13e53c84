"""Shows what scripts/deploy asks, refuses, shows and does. A program `aws` of our own stands in for AWS,
and the local server for the deployed API."""

import argparse
import base64
import functools
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import release as packing
import tomlkit
import yaml
from kit import ROOT
from samcli.cli.types import CfnParameterOverridesType

sys.path.insert(0, str(ROOT / "scripts"))

from deployment import checks, costs, parameters, questions, smoke_test  # noqa: E402
from deployment.aws import Failure  # noqa: E402

LOADER = importlib.machinery.SourceFileLoader("deploy", str(ROOT / "scripts" / "deploy"))
deploy = importlib.util.module_from_spec(importlib.util.spec_from_loader("deploy", LOADER))
LOADER.exec_module(deploy)

# The keys of `cargo run`, and what its table notes of the hash key.
JWT_SECRET = "mfa-development-secret-known-to-everybody"
HASH_KEY = "bWZhLWRldmVsb3BtZW50LWhhc2gta2V5LTAwMDAwMDA="
FINGERPRINT = "JP9p+yHEL8Kl3G6woOgLOg=="
KEYS = {"sealingKeys": f"k1:{HASH_KEY}", "hashKey": HASH_KEY}


def template():
    """template.yaml, without the tags of CloudFormation."""
    loader = type("Loader", (yaml.SafeLoader,), {})
    loader.add_multi_constructor("!", lambda loader, tag, node: None)
    return yaml.load((ROOT / "template.yaml").read_text(), loader)


# Questions


def options(**changed):
    return argparse.Namespace(**{"stack": "mfa", "can_ask": False, "yes": False, "dry_run": False, **changed})


def typed(monkeypatch, *lines):
    """A person who types these lines. Gives what was shown."""
    shown, rest = [], iter(lines)
    monkeypatch.setattr("builtins.input", lambda text="": next(rest))
    monkeypatch.setattr("builtins.print", lambda *words, **_: shown.append(" ".join(map(str, words))))
    return shown


def test_six_questions_are_the_most_that_is_asked(monkeypatch):
    lines = ["Example Bank", "totp,email,sms", "cognito", "https://issuer.example.com/pool", "web,mobile"]
    lines += ["codes@example.com", "example.com", "+1,!+1900", "https://app.example.com"]
    shown = typed(monkeypatch, *lines)
    answers = questions.answer_all(options(can_ask=True), {}, {}, {})
    numbers = re.findall(r"^\n(\d)\.", "\n".join(shown), re.M)
    assert numbers == ["1", "2", "3", "4", "5", "6"]
    assert answers == {
        "AppName": "Example Bank", "Methods": "totp,email,sms", "Login": "cognito",
        "JwtIssuer": "https://issuer.example.com/pool", "JwtAudience": "web,mobile", "LoginSecretName": "",
        "EmailFrom": "codes@example.com", "SmsDomain": "example.com", "SmsCountries": "+1,!+1900",
        "AllowedOrigins": "https://app.example.com",
    }


def test_empty_lines_take_the_defaults_and_a_wrong_line_is_asked_again(monkeypatch):
    shown = typed(monkeypatch, "Bank: mine", "Bank", "", "", "", "")
    answers = questions.answer_all(options(can_ask=True, stack="shop"), {}, {}, {})
    assert any("--app-name 'Bank: mine' must be" in line for line in shown)
    assert {name: value for name, value in answers.items() if value} == {
        "AppName": "Bank", "Methods": "totp", "Login": "custom", "LoginSecretName": "shop/login",
    }


def test_with_every_answer_given_nothing_is_asked(monkeypatch):
    typed(monkeypatch)
    given = {"AppName": "Bank", "Methods": "totp", "Login": "custom", "LoginSecretName": "s", "AllowedOrigins": ""}
    assert questions.answer_all(options(can_ask=True), given, {}, {})["LoginSecretName"] == "s"


def test_without_a_terminal_every_missing_answer_is_named_at_once():
    with pytest.raises(Failure) as told:
        questions.answer_all(options(), {"Methods": "email", "Login": "okta"}, {}, {})
    for flag in ("--app-name", "--issuer", "--audience", "--email-from", "--origins"):
        assert f"{flag} is missing" in str(told.value)


def test_an_update_takes_the_answers_of_the_stack():
    before = {"AppName": "Bank", "Methods": "totp", "Login": "custom", "LoginSecretName": "s", "AllowedOrigins": ""}
    before["JwtIssuer"] = "our-login"
    answers = questions.answer_all(options(), {"AppName": "New"}, before, {})
    assert (answers["AppName"], answers["LoginSecretName"]) == ("New", "s")
    assert answers["JwtIssuer"] == "our-login", "an update must not stop checking the issuer"


def test_a_method_that_is_gone_takes_its_sender_with_it():
    before = {"AppName": "Bank", "Methods": "email", "Login": "custom", "LoginSecretName": "s"}
    before.update(EmailFrom="codes@example.com", AllowedOrigins="")
    assert questions.answer_all(options(), {"Methods": "totp"}, before, {})["EmailFrom"] == ""


@pytest.mark.parametrize(
    ("login", "settings", "kind"),
    [
        ("custom", {}, "secret"),
        ("nest-auth", {}, "secret"),
        ("cognito", {}, "keys"),
        ("several", {}, "several"),
        ("supabase", {"MFA_JWT_ALGORITHM": "HS256"}, "secret"),
        ("custom", {"MFA_JWT_ALGORITHM": "EdDSA"}, "keys"),
    ],
)
def test_the_login_and_its_algorithm_say_whether_there_is_a_shared_secret(login, settings, kind):
    assert questions.kind_of_login(login, settings) == kind


WRONG = [
    ("AppName", ["", " ", "a:b", "x" * 33, "日本", "a\nb"], "without a colon"),
    ("Methods", ["", "totp,", "totp, email", "pigeon", "totp,totp"], "each once"),
    ("Login", ["", "Cognito", "nobody"], "one of cognito, auth0"),
    ("LoginSecretName", ["", "a b", "a,b", "a:b"], "the name or the ARN"),
    ("EmailFrom", ["", "codes", "Codes <codes@example.com>", "codes@Example.com"], "an address alone"),
    ("SmsDomain", ["", "example", "https://example.com", "Example.com"], "a host name in lower case"),
    ("SmsCountries", ["", "44", "+44,", "+044", "+44 +1", "!+44"], "prefixes of E.164 numbers"),
    ("AllowedOrigins", ["https://a.example/", "a.example", "https://a.example, https://b.example"], "scheme, host"),
]


@pytest.mark.parametrize(("name", "value", "why"), [(n, value, why) for n, values, why in WRONG for value in values])
def test_a_wrong_answer_is_refused_with_the_rule_and_an_example(name, value, why):
    told = questions.fault(name, value)
    assert why in told and questions.QUESTIONS[name].flag in told and questions.QUESTIONS[name].example in told


@pytest.mark.parametrize(
    ("name", "named"),
    [("Bank \u2615", "\u2615"), ("Ma banque `\u0153uvre`", "`, \u0153"), ("a\tb", r"\t"), ("a:b", None)],
)
def test_a_name_that_does_not_fit_into_a_text_message_is_told_why(name, named):
    told = questions.fault("AppName", name)
    assert (f"A text message cannot hold {named}." in told) if named else ("A text message" not in told)


def test_a_login_with_a_private_key_is_told_what_to_give(monkeypatch):
    settings = "--settings 'MFA_JWT_ALGORITHM=ES256 MFA_JWT_PUBLIC_KEY=\u2026'"
    for login, is_told in (("custom", True), ("nest-auth", True), ("several", False)):
        shown = typed(monkeypatch, "Bank", "totp", login, "mfa/login", "")
        questions.answer_all(options(can_ask=True), {}, {}, {})
        [question] = [text for text in shown if text.startswith("\n4.")]
        assert (settings in question) == is_told, question
    assert "MFA_JWT_ALGORITHM" in questions.QUESTIONS["Login"].text


def test_the_command_for_a_login_with_a_private_key_gives_settings_that_are_read(tmp_path):
    block = next(block for block in blocks("deploy.md") if "MFA_JWT_ALGORITHM=" in block)
    pem = "-----BEGIN PUBLIC KEY-----\nMFkw+/=\n-----END PUBLIC KEY-----\n"
    (tmp_path / "login.pub").write_text(pem)
    block = block.replace("scripts/deploy", "printf '%s\\0'")
    ran = subprocess.run(["bash", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=True)
    words = ran.stdout.split("\0")
    settings = questions.read_settings(words[words.index("--settings") + 1])
    assert settings == {"MFA_JWT_ALGORITHM": "ES256", "MFA_JWT_PUBLIC_KEY": pem.replace("\n", "\\n")}
    assert questions.kind_of_login("custom", settings) == "keys"
    parameters.check_backslashes({"Settings": words[words.index("--settings") + 1]})


def test_the_template_takes_what_a_question_takes():
    parameters = template()["Parameters"]
    for name, question in questions.QUESTIONS.items():
        pattern = parameters[name].get("AllowedPattern")
        if name == "Login":
            assert {"", *questions.LOGINS} == set(parameters[name]["AllowedValues"])
        elif name == "JwtIssuer":
            # The providers' issuers are addresses. Others are any text.
            assert questions.question_of(name, "custom").pattern == pattern
        else:
            assert question.pattern in (pattern, pattern.removeprefix("^$|")), name


def test_the_names_that_settings_must_not_hold_are_those_of_the_functions_and_the_template():
    text = (ROOT / "shared/src/config/settings.rs").read_text()
    refused = re.search(r"const SECRETS[^=]*= (\[.*?\]);", text).group(1)
    assert questions.OF_SECRETS == set(json.loads(refused))
    own = set(re.findall(r"^ +(MFA_\w+):", (ROOT / "template.yaml").read_text(), re.M)) - {"MFA_SETTINGS"}
    assert questions.OF_TEMPLATE == own - questions.OF_SECRETS


def test_values_are_checked_and_compared_as_the_template_hands_them_on():
    text = (ROOT / "template.yaml").read_text()
    # Login alone stands behind a condition.
    handed_on = dict(re.findall(r"^        (MFA_\w+): !Ref (\w+)$", text, re.M))
    assert parameters.VARIABLES == handed_on | {"MFA_LOGIN": "Login"}
    assert float(checks.SMS_SPEND_ALARM_USD) == template()["Parameters"]["SmsSpendAlarmUsd"]["Default"]


def test_the_audience_is_needed_where_the_template_needs_it():
    text = (ROOT / "template.yaml").read_text()
    needed = re.search(r"ProviderHasAnAudience:.*?RuleCondition: !Contains \[\[([^]]+)\]", text, re.S).group(1)
    needing = [login for login in questions.LOGINS if questions.fault("JwtAudience", "", login)]
    assert sorted(needed.split(", ")) == sorted(needing)


def test_a_login_that_shares_nothing_takes_no_secret_and_several_logins_no_issuer():
    given = {"AppName": "Bank", "Methods": "totp", "Login": "okta", "AllowedOrigins": ""}
    given.update(JwtIssuer="https://a.example", JwtAudience="a")
    with pytest.raises(Failure, match="--login-secret is for a login that signs with it"):
        questions.answer_all(options(), {**given, "LoginSecretName": "s"}, {}, {})
    assert questions.answer_all(options(), given, {}, {})["LoginSecretName"] == ""
    with pytest.raises(Failure, match="--login several has no --issuer"):
        questions.answer_all(options(), {**given, "Login": "several", "LoginSecretName": "s"}, {}, {})


def test_only_a_provider_must_have_an_issuer_that_is_an_address():
    assert questions.fault("JwtIssuer", "", "cognito") and questions.fault("JwtIssuer", "our-login", "cognito")
    assert not questions.fault("JwtIssuer", "", "custom") and not questions.fault("JwtIssuer", "our-login", "custom")


@pytest.mark.parametrize("name", questions.QUESTIONS)
def test_each_example_is_valid_and_each_pattern_that_of_the_template(name):
    parameter = template()["Parameters"][name]
    assert not questions.fault(name, questions.QUESTIONS[name].example, "cognito")
    if "AllowedValues" in parameter:
        assert sorted(value for value in parameter["AllowedValues"] if value) == sorted(questions.LOGINS)
    elif pattern := parameter.get("AllowedPattern"):
        # The script asks for these only if they are needed.
        asked = questions.question_of(name, "custom").pattern
        assert asked in (pattern, pattern.replace("^$|", "", 1))


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("", {}),
        ("MFA_REQUIRED=true", {"MFA_REQUIRED": "true"}),
        (
            "MFA_REQUIRED=true\nMFA_AUTHORIZER_ROUTES=POST /a = mfa; $default = token  MFA_ISSUER=",
            {"MFA_REQUIRED": "true", "MFA_AUTHORIZER_ROUTES": "POST /a = mfa; $default = token", "MFA_ISSUER": ""},
        ),
    ],
)
def test_settings_are_entries_that_white_space_parts(text, entries):
    assert questions.read_settings(text) == entries


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("true", "must be entries"),
        ("MFA_REQUIRED=true MFA_REQUIRED=false", "each name once"),
        ("MFA_JWT_SECRET=x", "Secrets Manager"),
        ("MFA_NEXT_SIGNING_KEY=-----BEGIN PRIVATE KEY-----", "Secrets Manager"),
        ("MFA_METHODS=totp", "the template sets it"),
        ("MFA_ADD_CLAIMS=" + "x" * 4096, "4096 bytes"),
    ],
)
def test_wrong_settings_are_refused(text, why):
    with pytest.raises(Failure, match=why):
        questions.read_settings(text)


def test_the_variables_of_settings_are_those_of_the_documentation():
    text = (ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `(MFA_\w+)` \| `Settings` ", text, re.M)) - {"MFA_SETTINGS"}
    assert parameters.variables_of(ROOT) == sorted(documented)


# The release


def elf(machine):
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine) + bytes(44)


def release(folder, processor="arm64", machine=0xB7, bootstrap=None):
    """A release of two functions."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "template.yaml").read_text()
    lines = [text[text.index("\nParameters:\n") : text.index("\nConditions:\n")], "Resources:"]
    for name in ("status", "verify"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("bootstrap", elf(machine) if bootstrap is None else bootstrap)
        lines += [f"  {name.title()}Function:", "    Type: AWS::Serverless::Function", "    Properties:"]
        lines += [f"      CodeUri: {name}.zip", f"      Architectures: [{processor}]"]
    lines += ["  # An alarm.", "  Alarm:", "    Type: AWS::CloudWatch::Alarm"]
    lines += ["  SmsAlarm:", "    Type: AWS::CloudWatch::Alarm", "    Condition: SendsSms", "Outputs: {}", ""]
    (folder / "template.yaml").write_text("\n".join(lines))
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder


@pytest.mark.parametrize(("processor", "machine"), [("arm64", 0xB7), ("x86_64", 0x3E)])
def test_functions_for_the_processor_of_the_template_pass(tmp_path, processor, machine):
    checks.check_release(release(tmp_path, processor, machine), None)
    checks.check_release(tmp_path, processor)


def test_functions_for_another_processor_are_refused(tmp_path):
    with pytest.raises(Failure, match=r"status.zip is for x86_64, not for arm64"):
        checks.check_release(release(tmp_path, machine=0x3E), None)
    with pytest.raises(Failure, match="is for arm64, not for x86_64"):
        checks.check_release(release(tmp_path), "x86_64")
    with pytest.raises(Failure, match="no Linux machine"):
        checks.check_release(release(tmp_path, bootstrap=b"#!/bin/sh\n"), None)
    (tmp_path / "SHA256SUMS").unlink()
    (tmp_path / "status.zip").unlink()
    with pytest.raises(Failure, match="holds no function"):
        checks.check_release(tmp_path, None)


def test_a_changed_file_is_refused(tmp_path):
    release(tmp_path)
    (tmp_path / "verify.zip").write_bytes(b"something else")
    with pytest.raises(Failure, match=r"verify.zip is not the file that SHA256SUMS names"):
        checks.check_release(tmp_path, None)


def test_an_archive_of_a_release_is_unpacked_beside_itself(tmp_path):
    release(tmp_path / "made" / "mfa-0.1.0-arm64")
    subprocess.run(["tar", "-czf", tmp_path / "mfa-0.1.0-arm64.tar.gz", "-C", tmp_path / "made", "."], check=True)
    folder = checks.release_folder(tmp_path / "mfa-0.1.0-arm64.tar.gz", None)
    assert tmp_path / "mfa-0.1.0-arm64" in folder.parents
    checks.check_release(folder, "arm64")


def test_a_release_that_is_not_there_is_named():
    with pytest.raises(Failure, match=r"There is no /nowhere.tar.gz \(--from\)\."):
        checks.release_folder("/nowhere.tar.gz", None)


# What a release holds besides functions and script


def test_a_release_holds_both_programs_and_mfa_admin_is_built_by_itself(tmp_path, monkeypatch):
    built, folder = [], tmp_path / "mfa-0.1.0-arm64"
    folder.mkdir()

    def build(*words):
        built.append([word for word in words if str(word).startswith(("--package=", "--bin="))])
        bootstrap = tmp_path / "target/lambda/arm64" / words[-1].removeprefix("--bin=") / "bootstrap"
        bootstrap.parent.mkdir(parents=True)
        bootstrap.write_bytes(elf(0xB7))

    monkeypatch.setattr(packing, "ROOT", tmp_path)
    monkeypatch.setattr(packing, "output", build)
    packing.add_programs(folder, "arm64")
    assert built == [["--bin=mfa-local"], ["--package=mfa-admin", "--bin=mfa-admin"]]
    packing.write_archive(folder)
    with tarfile.open(tmp_path / "mfa-0.1.0-arm64.tar.gz") as archive:
        modes = {entry.name.partition("/")[2]: entry.mode for entry in archive if entry.isfile()}
    assert modes == {"mfa-local": 0o755, "mfa-admin": 0o755}


def test_the_longest_name_of_a_stack_fits_the_functions_that_are_named_after_it(run):
    names = re.findall(r"FunctionName: !Sub \$\{AWS::StackName\}(\S+)", (ROOT / "template.yaml").read_text())
    assert 53 + max(map(len, names)) == 64
    assert run("--dry-run", "--yes", *ANSWERS, "--stack", "m" * 53), run.shown


def test_the_documentation_of_a_release_is_where_its_readme_says(tmp_path):
    shutil.copy(ROOT / "README.md", tmp_path)
    packing.add_documentation(tmp_path)
    for page in [tmp_path / "README.md", *tmp_path.glob("docs/**/*.md")]:
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        here = [link for link in links if (page.parent / link).resolve().is_relative_to(tmp_path / "docs")]
        assert not [link for link in here if not (page.parent / link).exists()], page
    assert (tmp_path / "docs" / "deploy.md").exists() and (tmp_path / "CHANGELOG.md").exists()


# Keys


def test_the_fingerprint_is_the_one_that_the_service_notes(mfa):
    assert base64.b64encode(checks.fingerprint(HASH_KEY)).decode() == FINGERPRINT
    mfa.ok("POST", "/auth/mfa/generate-recovery-code", {}, mfa.sign_in(sub="fingerprint"))
    noted = [item for item in mfa.ok("GET", "/__local/table") if item["pk"]["S"] == "BUNDLE"]
    assert [item["fingerprint"]["B"] for item in noted] == [FINGERPRINT]


# Costs


def test_the_costs_are_units_times_prices_and_those_of_the_readme():
    lines = list(costs.verifications(["totp", "email", "sms"], "arm64"))
    cells = re.findall(r"(\d+) x +([\d.]+) = +([\d.]+)", "\n".join(lines))
    assert len(cells) == 3 * len(costs.costs_on("arm64"))
    for units, price, product in cells:
        assert abs(int(units) * float(price) - float(product)) < 0.006
    assert lines[-2].split() == ["together", "3.36", "107.34", "8.59"]
    assert "0.625 = 1.25" in " ".join(lines[5].split())
    assert next(costs.month(1, 2)).endswith("= 3.60")


@pytest.mark.parametrize(("processor", "price", "cost"), [("arm64", "0.083", "0.08"), ("x86_64", "0.104", "0.10")])
def test_the_price_is_that_of_the_processor(processor, price, cost):
    lines = list(costs.verifications(["totp"], processor))
    assert lines[3].split("  ")[0] == f"Lambda {processor}, 128 MB, 50 ms"
    assert lines[3].endswith(f"1 x   {price} =   {cost}")


def test_the_units_are_the_budgets_of_the_routes():
    text = (ROOT / "tests/it/budgets.rs").read_text()
    units = {}
    for names, reads, writes in re.findall(r"((?:\"[^\"]+\"[ |]*)+)=> \(([\d.]+), ([\d.]+), \d+\)", text):
        units.update({name: (float(reads), float(writes)) for name in re.findall(r"\"([^\"]+)\"", names)})
    code = units["verify"]
    sent = [(0, 0), units["challenge by e-mail"], units["challenge by text message"]]
    told = {what: list(numbers) for what, _, numbers in costs.costs_on("arm64")}
    assert told["DynamoDB read units"] == [code[0] + reads for reads, _ in sent]
    assert told["DynamoDB write units"] == [code[1] + writes for _, writes in sent]


def test_the_plan_counts_every_resource_of_the_template():
    text = (ROOT / "template.yaml").read_text()
    read = {(resource["Type"], resource.get("Condition")) for resource in template()["Resources"].values()}
    assert {(kind, condition) for kind, condition, _ in costs.resources(text)} == read
    assert len(list(costs.resources(text))) == len(template()["Resources"])
    known = {"MakesKeys", "MakesTable", "SendsEmail", "SendsSms", "HasAddress", "HasDomain", "HasKmsKey"}
    known |= {"SendsThroughSns", "SendsThroughEndUserMessaging", "Notifies"}
    assert {condition for _, condition in read if condition} <= known


def test_the_plan_leaves_out_what_the_answers_do_not_make():
    text = (ROOT / "template.yaml").read_text()
    values = dict.fromkeys(["SecretName", "ExistingTableName", "EmailFrom", "SmsCountries", "LoginSecretName"], "")
    values["Methods"] = "totp"
    first = "\n".join(costs.plan(text, values, "arm64"))
    assert "1  AWS::DynamoDB::Table" in first and "8  AWS::CloudWatch::Alarm" in first
    assert "secrets 1 x 0.40 + metrics of alarms 11 x 0.10 + dashboard 3.00 = 4.50" in first
    kept = {**values, "ExistingTableName": "kept", "SmsCountries": "+1"}
    assert "AWS::DynamoDB::Table" not in "\n".join(costs.plan(text, kept, "arm64"))
    assert "11  AWS::CloudWatch::Alarm" in "\n".join(costs.plan(text, kept, "arm64"))
    other_service = {**kept, "Settings": "MFA_SMS_ORIGINATION_IDENTITY=arn:of:a:pool"}
    assert "11  AWS::CloudWatch::Alarm" in "\n".join(costs.plan(text, other_service, "arm64"))
    assert "AWS::IAM::ManagedPolicy" not in first
    assert "AWS::IAM::ManagedPolicy" in "\n".join(costs.plan(text, {**kept, "KmsKeyArn": "arn:of:a:key"}, "arm64"))


# samconfig.toml


def test_sam_reads_every_parameter_back_from_samconfig():
    values = {
        "AppName": "Example's Bank & Co",
        "JwtAudience": "",
        "AllowedOrigins": "https://a.example,http://localhost:3000",
        "SmsCountries": "+1,!+1900",
        "Settings": "MFA_REQUIRED=true MFA_AUTHORIZER_ROUTES=POST /t = mfa max_age=300; $default = token\n"
        'MFA_ADD_CLAIMS={"aal": "aal2"} '
        "MFA_NEXT_SIGNING_KEY=-----BEGIN PUBLIC KEY-----\\nMFkw+/=\\n-----END PUBLIC KEY-----",
    }
    text = deploy.samconfig("mfa", "eu-central-1", "target/dist/x/template.yaml", values)
    read = tomlkit.parse(text).unwrap()["default"]["deploy"]["parameters"]
    assert CfnParameterOverridesType().convert((read["parameter_overrides"],), None, None) == values
    assert (read["stack_name"], read["region"], read["resolve_s3"]) == ("mfa", "eu-central-1", True)


# The smoke test


def answers_of_the_description():
    """Status and codes of each operation, as docs/openapi.yaml lists them."""
    text = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())

    def codes(node):
        if isinstance(node, dict) and "$ref" in node:
            target = text
            for part in node["$ref"].split("/")[1:]:
                target = target[part]
            return codes(target)
        if isinstance(node, list):
            return set().union(*map(codes, node))
        if not isinstance(node, dict):
            return set()
        own = set(node.get("code", {}).get("enum", [])) if isinstance(node.get("code"), dict) else set()
        return own.union(*(codes(value) for name, value in node.items() if name != "headers"))

    for path, item in text["paths"].items():
        for method, operation in item.items():
            answers = {"200"}
            for status, response in operation["responses"].items():
                answers |= {f"{status} {code}" for code in codes(response)}
            yield method.upper(), path, answers


def test_the_smoke_test_calls_every_route_and_expects_what_is_documented():
    called = [*smoke_test.OPEN, *smoke_test.HARMLESS]
    described = list(answers_of_the_description())
    assert len(called) == len(described)
    for method, path, answers in described:
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        found = [wanted for m, p, _, wanted in called if m == method and re.fullmatch(pattern, p)]
        assert len(found) == 1, (method, path)
        assert set(found[0]) <= answers, (method, path)


def smoke(local, capsys, token, is_ours):
    test = smoke_test.SmokeTest(local.url, None)
    passed = test.run(token, is_ours)
    return passed, capsys.readouterr().out


def test_the_smoke_test_passes_and_leaves_no_factor_behind(local, mfa, capsys):
    for _ in range(2):
        passed, shown = smoke(local, capsys, smoke_test.login_token(JWT_SECRET, {}, {}), True)
        assert passed, shown
        assert shown.count("POST   /auth/mfa/verify (with a token)") == 2
    status = mfa.ok("GET", "/auth/mfa/status", token=mfa.sign_in(sub=smoke_test.USER))
    assert (status["isEnabled"], status["totpDevices"], status["hasRecoveryCode"]) == (False, [], False)


def test_the_smoke_test_changes_nothing_for_a_user_of_the_login(local, mfa, capsys):
    token = mfa.sign_in(sub="somebody")
    before = mfa.ok("GET", "/auth/mfa/status", token=token)
    passed, shown = smoke(local, capsys, token, False)
    assert passed, shown
    assert mfa.ok("GET", "/auth/mfa/status", token=token) == before


def test_without_a_token_only_the_open_half_is_called(local, capsys):
    passed, shown = smoke(local, capsys, None, False)
    assert passed and "--token-file" in shown and "(with a token)" not in shown


def test_a_failure_says_what_and_why(local, capsys):
    token = smoke_test.login_token("another secret than that of the service", {}, {})
    passed, shown = smoke(local, capsys, token, True)
    assert not passed
    assert "FAIL 401 INVALID_TOKEN              GET    /auth/mfa/status (with a token)" in shown
    assert "instead of 200: The access token is invalid or has expired" in shown


def waits_of(monkeypatch):
    """The seconds that the smoke test would wait. It does not."""
    waits = []
    monkeypatch.setattr(smoke_test.time, "sleep", waits.append)
    monkeypatch.setattr(smoke_test.time, "monotonic", lambda: sum(waits))
    return waits


@pytest.mark.parametrize("what", ["no name", "no listener", "no TLS", "no HTTP"])
def test_an_api_that_does_not_answer_is_told_in_one_sentence(local, capsys, monkeypatch, what):
    def refuse(*_):
        raise AssertionError("nothing is in the log")

    monkeypatch.setattr(smoke_test, "aws", refuse)
    waits = waits_of(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as closed, socket.create_server(("127.0.0.1", 0)) as other:
        port = closed.getsockname()[1]
        closed.close()
        threading.Thread(target=greet, args=[other], daemon=True).start()
        url = {
            "no name": "https://mfa.invalid",
            "no listener": f"http://127.0.0.1:{port}",
            "no TLS": local.url.replace("http:", "https:"),
            "no HTTP": f"http://127.0.0.1:{other.getsockname()[1]}",
        }[what]
        with pytest.raises(Failure) as told:
            smoke_test.SmokeTest(url, "group").run(None, False)
    assert re.fullmatch(rf"{url} does not answer: [^\n]+\. Is .* right, .*\?", str(told.value)), told.value
    assert capsys.readouterr().out == "" and 20 <= sum(waits) <= 30


def greet(server):
    """Answers each connection as a mail server does, which is no HTTP."""
    try:
        while True:
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"220 mail.example.com\r\n")
            connection.close()
    except OSError:
        return


@pytest.mark.parametrize("has_ids", [True, False])
def test_log_lines_are_awaited_once_and_not_for_each_call(capsys, monkeypatch, has_ids):
    asked, numbers, waits = [], iter(range(1000)), waits_of(monkeypatch)

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(500)
            if has_ids:
                self.send_header("x-request-id", f"request-{next(numbers)}")
            self.end_headers()

        do_POST = do_PATCH = do_DELETE = do_GET

        def log_message(self, *_):
            pass

    def logs(*words):
        pattern = words[-1]
        asked.append(pattern)
        return {"events": [{"message": f"why: {pattern}"}] if len(asked) > 2 else []}

    monkeypatch.setattr(smoke_test, "aws", logs)
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        test = smoke_test.SmokeTest(f"http://127.0.0.1:{server.server_address[1]}", "group")
        assert not test.run("token", False)
        server.shutdown()
    shown, calls = capsys.readouterr().out, len(smoke_test.HARMLESS + smoke_test.OPEN) * 2
    assert shown.count("  FAIL 500") == calls
    assert sum(waits) <= 30 + 10
    assert shown.count("why: ") == (smoke_test.LOGS_SHOWN if has_ids else 1)
    assert len(asked) <= smoke_test.LOGS_SHOWN + 5


def test_what_would_keep_codes_and_alarms_from_arriving_is_told(monkeypatch):
    told = {
        "get-email-identity": {"VerifiedForSendingStatus": False},
        "get-account": {"ProductionAccessEnabled": False},
        "get-sms-sandbox-account-status": {"IsInSandbox": True},
        "get-sms-attributes": {"attributes": {"MonthlySpendLimit": "1"}},
    }
    monkeypatch.setattr(checks, "aws", lambda service, operation, *_: told[operation])
    parameters = {"EmailFrom": "a@example.com", "SmsDomain": "example.com", "SmsSpendAlarmUsd": "50"}
    text = "\n".join(checks.warnings_about(parameters))
    for words in ("not verified", "sandbox: codes", "sandbox: text", "SNS stops at 1 dollars", "Alarms tell nobody"):
        assert words in text, text
    quiet = {"EmailFrom": "", "SmsDomain": "example.com", "AlarmEmail": "ops@example.com"}
    told["get-sms-sandbox-account-status"] = {}
    assert not list(checks.warnings_about(quiet)), "the default of the template is below a new account's quota"

    told["describe-account-attributes"] = {"AccountAttributes": [{"Name": "ACCOUNT_TIER", "Value": "SANDBOX"}]}
    of_voice = {"Name": "VOICE_MESSAGE_MONTHLY_SPEND_LIMIT", "EnforcedLimit": 100}
    of_text = {"Name": "TEXT_MESSAGE_MONTHLY_SPEND_LIMIT", "EnforcedLimit": 1}
    told["describe-spend-limits"] = {"SpendLimits": [of_voice, of_text]}
    through = {"Settings": "MFA_SMS_SERVICE=end-user-messaging MFA_SMS_ORIGINATION_IDENTITY=arn:of:a:pool"}
    text = "\n".join(checks.warnings_about({**parameters, **through}))
    for words in ("End User Messaging is in its sandbox", "End User Messaging stops at 1 dollars"):
        assert words in text, text
    told["describe-account-attributes"] = told["describe-spend-limits"] = {}
    assert not list(checks.warnings_about({**quiet, **through}))


@pytest.mark.parametrize(
    ("login", "kind", "settings", "told"),
    [
        ("custom", "secret", "MFA_REQUIRED=true MFA_SEALING_KEY=k2", None),
        ("custom", "secret", "MFA_REQUIRED=yes", "MFA_REQUIRED must be true or false"),
        ("custom", "secret", "MFA_CODE_LENGTH=99", "MFA_CODE_LENGTH"),
        ("custom", "keys", "MFA_JWT_ALGORITHM=ES256", "MFA_JWT_PUBLIC_KEY"),
        ("cognito", "keys", "MFA_AUTHORIZER_ROUTES=POST /x = mfaa", "MFA_AUTHORIZER_ROUTES"),
        ("cognito", "keys", "", None),
        ("several", "several", "", None),
        ("several", "several", "MFA_JWT_USER_CLAIM=id", "MFA_LOGINS"),
    ],
)
def test_values_with_which_no_function_starts_are_refused(tmp_path, login, kind, settings, told):
    issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_x" if login == "cognito" else ""
    values = {"AppName": "Bank", "Methods": "totp", "Login": login, "JwtIssuer": issuer, "Settings": settings}
    values["JwtAudience"] = "web" if login == "cognito" else ""
    check = functools.partial(parameters.check_values, tmp_path, values, questions.read_settings(settings), kind)
    if told is None:
        assert check()
    else:
        with pytest.raises(Failure, match=told):
            check()


def test_where_the_local_server_does_not_run_values_are_checked_later(tmp_path, monkeypatch):
    monkeypatch.setattr(parameters, "__file__", str(tmp_path / "a" / "b" / "parameters.py"))
    (tmp_path / "mfa-local").write_bytes(b"\x7fELF of another processor")
    (tmp_path / "mfa-local").chmod(0o755)
    assert not parameters.check_values(tmp_path, {"Settings": "MFA_REQUIRED=yes"}, {"MFA_REQUIRED": "yes"}, "keys")


# The commands of the documentation


def blocks(name):
    """The commands of a page, as a browser shows them."""
    found = re.findall(r"^( *)```sh\n(.*?)^\1```$", (ROOT / "docs" / name).read_text(), re.M | re.S)
    return [re.sub(f"^{indent}", "", text, flags=re.M) for indent, text in found]


@pytest.mark.parametrize("name", ["deploy.md", "operations.md"])
def test_every_command_can_be_pasted_into_zsh_too(name):
    first, *_ = blocks(name)
    assert first.startswith("export AWS_PAGER=\n")
    for block in blocks(name):
        assert not re.search(r"^\s*#|\s#\s", block, re.M), f"zsh takes this for a command: {block}"
        assert not re.search(r"\bfor \w+ in \$", block), f"zsh does not split this: {block}"
        assert not subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True).stderr, block


def test_a_rotation_adds_a_sealing_key_and_lets_it_seal(tmp_path):
    common = next(block for block in blocks("deploy.md") if block.startswith("SECRET="))
    steps = [block for block in blocks("deploy.md") if "NEW" in block]
    # Later lines win over the calls of AWS.
    stubs = """
        output() { echo own; }
        aws() { echo 'MFA_SEALING_KEY=k0 MFA_REQUIRED=true'; }
        scripts/deploy() { printf '%s\\n' "$*" >> calls; }
    """
    (tmp_path / "keys").write_text(json.dumps(KEYS))
    store = "keys() { cat keys; }\nstore() { cat > keys.new && echo version; }\n"
    text = "\n".join([stubs, common, store, *steps])
    ran = subprocess.run(["bash", "-c", text], cwd=tmp_path, capture_output=True, text=True)
    held = json.loads((tmp_path / "keys.new").read_text())
    assert checks.are_sealing_keys(held["sealingKeys"]) and held["hashKey"] == HASH_KEY, ran.stderr
    first, new = (entry.partition(":")[0] for entry in held["sealingKeys"].split(","))
    assert first == "k1" and f"The new key is {new}" in ran.stdout
    announced, used = (tmp_path / "calls").read_text().splitlines()
    assert announced == "--yes --secret-name own --parameter SecretVersionId=version"
    assert used == f"--yes --settings  MFA_REQUIRED=true MFA_SEALING_KEY={new}"


def test_a_sealing_key_is_removed_and_put_back(tmp_path):
    common = next(block for block in blocks("deploy.md") if block.startswith("SECRET="))
    remove = next(block for block in blocks("deploy.md") if "is removed" in block)
    put_back = next(block for block in blocks("deploy.md") if "AWSPREVIOUS" in block)
    stubs = """
        output() { echo own; }
        aws() { [ "$1" = cloudformation ] || cat before; }
        scripts/deploy() { printf '%s\\n' "$*" >> calls; }
    """
    store = "keys() { cat now; }\nstore() { cat > new && cp now before && mv new now && echo version; }\n"

    def ran(*parts):
        text = "\n".join([stubs, common, store, *parts])
        return subprocess.run(["bash", "-c", text], cwd=tmp_path, capture_output=True, text=True)

    both = {**KEYS, "sealingKeys": f"k1:{HASH_KEY},k2:{HASH_KEY}"}
    (tmp_path / "now").write_text(json.dumps(both))
    assert ran(remove).stdout == "k1 is removed\n"
    assert json.loads((tmp_path / "now").read_text()) == {**KEYS, "sealingKeys": f"k2:{HASH_KEY}"}
    # The last key stays.
    assert ran(remove).stdout == "" and HASH_KEY in (tmp_path / "now").read_text()
    (tmp_path / "calls").write_text("")
    assert not ran(put_back).stderr
    assert json.loads((tmp_path / "now").read_text()) == both
    assert (tmp_path / "calls").read_text() == "--yes --secret-name own --parameter SecretVersionId=version\n"


def test_the_secret_of_several_logins_is_made_as_the_script_reads_it(tmp_path):
    block = next(block for block in blocks("deploy.md") if "logins.json" in block)
    (tmp_path / "logins.json").write_text('[{"name": "customers"}]')
    subprocess.run(["bash", "-c", f"aws() {{ cat > made; }}\n{block}"], cwd=tmp_path, check=True)
    assert checks.are_logins(json.loads((tmp_path / "made").read_text())["logins"])


# A whole run. The program answers from a file, notes each call, and changes the stack as AWS would.

AWS = f"""#!{sys.executable}
import json, os, pathlib, sys
words = sys.argv[1:]
folder = pathlib.Path(os.environ["FAKE_AWS"])
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(words) + "\\n")
value = dict(zip(words, words[1:]))
state = json.loads((folder / "state").read_text())
answer = {{
    "sts get-caller-identity": {{"Account": "111122223333"}},
    "resourcegroupstaggingapi get-resources": {{"ResourceTagMappingList": [
        {{"ResourceARN": "arn:aws:dynamodb:eu-central-1:111122223333:table/" + name}} for name in state["kept"]]}},
    "secretsmanager list-secrets": {{"SecretList": [
        {{"Name": name, "Tags": [{{"Key": "mfa:stack", "Value": "mfa"}}]}} for name in state["secrets"]]}},
    "cloudformation describe-stack-events": {{"StackEvents": state.get("events", [])}},
}}.get(" ".join(words[:2]), {{}})
def refuse(code, text="refused"):
    sys.exit("An error occurred (" + code + ") when calling the operation: " + text)
if words[1] == "get-caller-identity" and os.environ["AWS_REGION"] == "eu-centrall-1":
    sys.exit('Could not connect to the endpoint URL: "https://sts.eu-centrall-1.amazonaws.com/"')
if words[1] == "describe-stacks":
    if not state["stack"]:
        refuse("ValidationError", "Stack with id mfa does not exist")
    answer = {{"Stacks": [{{"StackStatus": state.get("status", "CREATE_COMPLETE"),
        "Parameters": [{{"ParameterKey": k, "ParameterValue": v}} for k, v in state["stack"].items()],
        "Outputs": [{{"OutputKey": k, "OutputValue": v}} for k, v in state["outputs"].items()]}}]}}
elif words[1] == "get-secret-value":
    if value["--secret-id"] not in state["secrets"]:
        refuse("ResourceNotFoundException")
    held = state["secrets"][value["--secret-id"]]
    answer = {{"SecretBinary": "AAAA"}} if held == "binary" else {{"SecretString": json.dumps(held)}}
elif words[1] == "get-item":
    tables = {{"table": None, **state["kept"], **state.get("tables", {{}})}}
    if value["--table-name"] not in tables:
        refuse("ResourceNotFoundException")
    mark = tables[value["--table-name"]]
    answer = {{"Item": {{"fingerprint": {{"B": mark}}}}}} if mark else {{}}
elif words[1] == "head-bucket":
    if not state.get("bucket"):
        refuse("404", "Not Found")
elif words[1] == "package":
    pathlib.Path(value["--output-template-file"]).write_text("packaged")
    print("Successfully packaged artifacts")
    sys.exit()
elif words[1] == "deploy":
    if state.get("fails"):
        refuse("", "Failed to create/update the stack.")
    pairs = words[words.index("--parameter-overrides") + 1:]
    state["stack"] = dict(pair.split("=", 1) for pair in pairs)
    (folder / "state").write_text(json.dumps(state))
print(json.dumps(answer))
"""

CHANGES = {"create-bucket", "put-public-access-block", "put-bucket-encryption", "package", "deploy", "create-secret"}


class Run:
    """scripts/deploy with an AWS of its own, in a folder of its own."""

    def __init__(self, folder, url):
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "bin" / "aws").write_text(AWS)
        (folder / "bin" / "aws").chmod(0o755)
        release(folder / "mfa-0.1.0-arm64")
        self.state = {"stack": None, "kept": {}, "outputs": {"ApiUrl": url, "TableName": "table"}}
        self.state["secrets"] = {"mfa/login": {"jwtSecret": JWT_SECRET}}

    def __call__(self, *words):
        (self.folder / "state").write_text(json.dumps(self.state))
        (self.folder / "calls").write_text("")
        environment = {**os.environ, "FAKE_AWS": str(self.folder), "AWS_REGION": "eu-central-1"}
        environment["PATH"] = f"{self.folder / 'bin'}:{environment['PATH']}"
        command = [sys.executable, ROOT / "scripts" / "deploy", "--from", "mfa-0.1.0-arm64", *words]
        ran = subprocess.run(
            command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        self.calls = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        self.changes = [call[1] for call in self.calls if call[1] in CHANGES]
        self.shown = ran.stdout + ran.stderr
        self.state = json.loads((self.folder / "state").read_text())
        return ran.returncode == 0


@pytest.fixture
def run(tmp_path, local):
    return Run(tmp_path, local.url)


ANSWERS = ["--app-name", "Bank", "--methods", "totp", "--login", "custom"]
ANSWERS += ["--login-secret", "mfa/login", "--origins", ""]


def test_a_first_deployment_makes_the_bucket_and_the_stack_and_calls_every_route(run):
    assert run("--yes", *ANSWERS, "--settings", "MFA_REQUIRED=false"), run.shown
    assert run.changes == ["create-bucket", "put-public-access-block", "put-bucket-encryption", "package", "deploy"]
    assert "1  AWS::CloudWatch::Alarm" in run.shown and "2  AWS::Serverless::Function" in run.shown
    assert "63 of 63 calls were answered as documented" in run.shown
    assert run.state["stack"]["Settings"] == "MFA_REQUIRED=false"
    written = tomlkit.parse((run.folder / "samconfig.toml").read_text()).unwrap()["default"]["deploy"]["parameters"]
    assert written["template_file"] == "mfa-0.1.0-arm64/template.yaml"
    secret = JWT_SECRET.encode()
    assert not any(secret in path.read_bytes() for path in (run.folder / "samconfig.toml", run.folder / "calls"))
    assert JWT_SECRET not in run.shown


def test_an_update_needs_no_answer_and_keeps_other_parameters(run):
    run.state.update(bucket=True, stack={"AppName": "Bank", "Methods": "totp", "LoginSecretName": "mfa/login"})
    run.state["stack"].update(AllowedOrigins="", Login="custom", AlarmEmail="ops@example.com")
    assert run("--yes", "--skip-smoke-test"), run.shown
    assert run.changes == ["package", "deploy"]
    assert run.state["stack"]["AlarmEmail"] == "ops@example.com"


# A stack of the template that had a parameter for each setting.
OLD = {"AppName": "Bank", "Methods": "totp", "Login": "", "SecretName": "mfa", **parameters.OLD_DEFAULTS}
OLD.update(JwtIssuer="our-login", JwtAudience="web", JwtAlgorithm="", AllowedOrigins="")
OLD.update(EnvironmentKeyArn="", SigningPublicKey="")


def test_a_key_of_an_earlier_template_is_told_in_one_line():
    text = (ROOT / "template.yaml").read_text()
    before = {"NextSigningPublicKey": "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"}
    names, variables = parameters.names_of(text), parameters.variables_of(ROOT)
    given = options(parameter=[], Login="custom", settings=None)
    told = r"MFA_NEXT_SIGNING_KEY=-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"
    with pytest.raises(Failure, match=re.escape(f"--settings '{told}'")):
        parameters.check_upgrade(before, names, variables, given, {})


def test_an_update_keeps_what_an_earlier_template_had_parameters_for(run):
    run.state["secrets"]["mfa"] = {**KEYS, "jwtSecret": JWT_SECRET}
    run.state["stack"] = {**OLD, "Required": "true", "JwtUserClaim": "app/id", "LogRetentionDays": "365"}
    assert not run("--yes") and not run.changes
    settings = "MFA_REQUIRED=true MFA_JWT_USER_CLAIM=app/id"
    assert f"--settings '{settings}'" in run.shown
    assert "LogRetentionDays = 365: The template says" in run.shown and "CodeLength" not in run.shown
    assert not run("--yes", "--settings", "MFA_REQUIRED=true"), "the other is not named"
    assert run("--yes", "--settings", settings, "--skip-smoke-test"), run.shown
    assert "Warning: LogRetentionDays = 365" in run.shown
    after = run.state["stack"]
    assert after.keys() <= template()["Parameters"].keys() and after["Settings"] == settings
    names = ("JwtIssuer", "JwtAudience", "LoginSecretName")
    assert [after[name] for name in names] == ["our-login", "web", "mfa"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("EnvironmentKeyArn", "arn:of:a:key", ["--parameter", "KmsKeyArn=arn:of:a:key"]),
        ("HasLogins", "true", ["--login", "several", "--login-secret", "mfa"]),
    ],
)
def test_what_became_no_variable_must_be_said_in_another_way(run, name, value, words):
    keys = {**KEYS, "signingKey": "x", "signingPublicKey": "y", "logins": "[{}]"}
    run.state["secrets"]["mfa"] = {**keys, "jwtSecret": JWT_SECRET}
    run.state["stack"] = {**OLD, name: value, "JwtIssuer": "", "JwtAudience": ""}
    assert not run("--yes", "--settings", "") and not run.changes
    assert f"{name} = {value}: Give --" in run.shown
    assert run("--yes", "--settings", "", "--skip-smoke-test", *words), run.shown


def test_the_settings_of_a_release_are_those_that_it_lists(tmp_path):
    listed = tmp_path / "scripts" / "deployment" / "variables.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("MFA_NEW\nMFA_OTHER\n")
    assert parameters.variables_of(tmp_path) == ["MFA_NEW", "MFA_OTHER"]


def test_a_template_that_lacks_a_parameter_is_refused(run):
    path = run.folder / "mfa-0.1.0-arm64" / "template.yaml"
    path.write_text(path.read_text().replace("  LoginSecretName:\n", "  Renamed:\n"))
    (path.parent / "SHA256SUMS").unlink()
    assert not run("--yes", *ANSWERS) and not run.changes
    assert "has no LoginSecretName. Deploy it with the script of its release" in run.shown


def test_the_plan_has_the_price_of_the_processor_that_is_deployed(run):
    release(run.folder / "mfa-0.1.0-arm64", "x86_64", 0x3E)
    assert run("--dry-run", *ANSWERS, "--existing-table", "")
    assert "Lambda x86_64, 128 MB, 50 ms" in run.shown and "arm64, 128 MB" not in run.shown


def test_a_dry_run_changes_nothing(run):
    assert run("--dry-run", *ANSWERS, "--existing-table", "")
    assert not run.changes and not (run.folder / "samconfig.toml").exists()


def test_a_samconfig_of_somebody_else_stays(run):
    (run.folder / "samconfig.toml").write_text("version = 0.1\n")
    assert run("--yes", *ANSWERS, "--skip-smoke-test")
    assert (run.folder / "samconfig.toml").read_text() == "version = 0.1\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "--app-name is missing"),
        ([*ANSWERS], "Say so with --yes"),
        (["--yes", *ANSWERS, "--login-secret", "none"], "There is no secret none"),
        (["--yes", *ANSWERS, "--secret-name", "mfa/login"], "lacks sealingKeys, hashKey"),
        (["--yes", *ANSWERS, "--secret-name", "a b"], "the name or the ARN"),
        (["--yes", *ANSWERS, "--existing-table", "table"], "hash key of the table table with --secret-name"),
        (["--existing-table", "nosuch"], "There is no table nosuch in this account and region (--existing-table)"),
        (["--yes", *ANSWERS, "--from", "/nowhere.tar.gz"], "There is no /nowhere.tar.gz (--from)"),
        (["--only-smoke-test", "--api-url", "api.example.com"], "--api-url must be"),
        (["--yes", *ANSWERS, "--architecture", "x86_64"], "is for arm64, not for x86_64"),
        (["--yes", *ANSWERS, "--settings", "MFA_HASH_KEY=x"], "secrets stand in Secrets Manager"),
        (["--yes", *ANSWERS, "--parameter", "AppName=x"], "no option of its own"),
        (["--yes", *ANSWERS, "--parameter", "AlarmTopic=x"], "no option of its own: SmsSpendAlarmUsd, DomainName"),
        (["--yes", *ANSWERS, "--parameter", "SecretName=x"], "no option of its own"),
        (["--yes", *ANSWERS, "--parameter", "ExistingTableName=x"], "no option of its own"),
        (["--yes", *ANSWERS, "--settings", "MFA_REQIRED=true"], "The nearest known name is MFA_REQUIRED"),
        (["--yes", *ANSWERS, "--stack", "1"], "--stack must be"),
        (["--yes", *ANSWERS, "--stack", "m" * 54], "53 characters at most"),
        (["--yes", *ANSWERS, "--settings", "MFA_JWT_USER_CLAIM=a\\"], "Settings must not end in a backslash"),
        (["--yes", *ANSWERS, "--settings", 'MFA_ADD_CLAIMS={"a":"\\""}'], "Settings must not end in a backslash"),
        (["--yes", *ANSWERS, "--region", "eu-centrall-1"], "AWS does not answer in the region eu-centrall-1"),
        (["--only-smoke-test"], "There is no stack mfa"),
    ],
)
def test_what_is_wrong_is_said_before_anything_changes(run, words, why):
    assert not run(*words)
    assert why in run.shown and not run.changes


def test_a_secret_that_is_not_there_yet_is_typed_until_it_is_long_enough(monkeypatch):
    shown, lines = typed(monkeypatch), iter(["short", JWT_SECRET])
    monkeypatch.setattr(checks, "secret_of", lambda name: None)
    monkeypatch.setattr(checks.getpass, "getpass", lambda text: next(lines))
    stored = checks.check_login_secret(options(can_ask=True), "mfa/login", "secret")
    assert json.loads(stored) == {"jwtSecret": JWT_SECRET}
    assert not any(JWT_SECRET in line for line in shown) and "at least 32 bytes" in shown[-1]


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ({"jwtSecret": "short"}, "at least 32 bytes"),
        ({"jwtSecret": {"a": JWT_SECRET}}, "at least 32 bytes"),
        ([["jwtSecret", JWT_SECRET]], "holds no JSON object"),
        ("binary", "holds no JSON object"),
        ({"logins": [{"name": "staff"}]}, "a text that holds a JSON list"),
        ({"logins": '{"name": "staff"}'}, "a text that holds a JSON list"),
        ({"logins": "[]"}, "a text that holds a JSON list"),
    ],
)
def test_a_wrong_secret_of_the_login_is_refused(run, held, why):
    run.state["secrets"]["mfa/login"] = held
    login = ["--login", "several"] if "logins" in held else []
    assert not run("--yes", *ANSWERS, *login)
    assert why in run.shown and "Traceback" not in run.shown and not run.changes


@pytest.mark.parametrize(
    "wrong",
    [
        {"hashKey": 7},
        {"hashKey": "AAAA"},
        {"hashKey": "not base64"},
        {"sealingKeys": HASH_KEY},
        {"sealingKeys": "k1:AAAA"},
        {"sealingKeys": f"k1:{HASH_KEY},k1:{HASH_KEY}"},
        {"sealingKeys": {"k1": HASH_KEY}},
    ],
)
def test_wrong_keys_in_a_named_secret_are_refused(run, wrong):
    run.state["secrets"]["keys"] = {**KEYS, **wrong}
    assert not run("--yes", *ANSWERS, "--secret-name", "keys")
    assert f"{[*wrong][0]} in the secret keys must be" in run.shown and not run.changes
    # A search for the secret of a kept table only passes it by.
    run.state["kept"] = {"kept": FINGERPRINT}
    assert not run("--yes", *ANSWERS) and "Traceback" not in run.shown


@pytest.mark.parametrize("keys", [KEYS["sealingKeys"], f"old-1:{HASH_KEY}, k_2:{HASH_KEY}"])
def test_right_sealing_keys_pass(keys):
    assert checks.are_sealing_keys(keys)


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("CREATE_FAILED", "delete-stack --stack-name mfa"),
        ("ROLLBACK_COMPLETE", "delete-stack --stack-name mfa"),
        ("ROLLBACK_FAILED", "delete-stack --stack-name mfa"),
        ("DELETE_FAILED", "delete-stack --stack-name mfa --deletion-mode FORCE_DELETE_STACK"),
        ("UPDATE_FAILED", "rollback-stack --stack-name mfa"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name mfa"),
    ],
)
def test_a_stack_that_cannot_be_updated_is_repaired_first(run, status, command):
    run.state.update(stack={"AppName": "Bank"}, status=status)
    assert not run("--yes", *ANSWERS)
    assert f"aws cloudformation {command}\n" in run.shown and not run.changes


def test_text_messages_can_be_stopped_while_another_method_is_left(run):
    sms = ["--methods", "totp,sms", "--sms-domain", "example.com"]
    assert not run("--yes", *ANSWERS, *sms) and "--sms-countries is missing" in run.shown
    assert not run("--yes", *ANSWERS, *sms, "--methods", "sms", "--sms-countries", "")
    assert run("--yes", *ANSWERS, *sms, "--sms-countries", "+1", "--skip-smoke-test"), run.shown
    assert run("--yes", "--sms-countries", "", "--skip-smoke-test"), run.shown
    assert run("--yes", "--skip-smoke-test"), run.shown
    assert (run.state["stack"]["Methods"], run.state["stack"]["SmsCountries"]) == ("totp,sms", "")


def test_an_empty_line_alone_stops_no_text_messages(monkeypatch):
    shown = typed(monkeypatch, "Bank", "totp,sms", "", "", "example.com", "", "+1", "")
    assert questions.answer_all(options(can_ask=True), {}, {}, {})["SmsCountries"] == "+1"
    assert "--sms-countries '' must be" in "\n".join(shown)


def test_a_stack_without_an_address_is_not_called(run):
    assert run("--yes", *ANSWERS, "--parameter", "DomainName=none"), run.shown
    assert "Name that of your API with --api-url" in run.shown and "calls were answered" not in run.shown
    plan = costs.plan((ROOT / "template.yaml").read_text(), run.state["stack"], "arm64")
    assert not any("AWS::ApiGatewayV2::ApiMapping" in line for line in plan)
    assert run("--only-smoke-test", "--api-url", run.state["outputs"]["ApiUrl"]), run.shown


def test_a_kept_table_is_taken_with_the_secret_that_fits_it(run):
    other = {**KEYS, "hashKey": base64.b64encode(bytes(32)).decode()}
    run.state["kept"] = {"kept-table": FINGERPRINT, "never-used": None}
    run.state["secrets"].update(other=other, fitting=KEYS)
    assert not run(*ANSWERS)
    assert "Say so with --existing-table kept-table" in run.shown and not run.changes
    assert run("--yes", *ANSWERS, "--skip-smoke-test"), run.shown
    assert (run.state["stack"]["ExistingTableName"], run.state["stack"]["SecretName"]) == ("kept-table", "fitting")


def test_a_restored_table_gets_the_secret_that_the_stack_made(run):
    run.state["secrets"].update(own=KEYS)
    run.state["tables"] = {"table": FINGERPRINT, "restored": FINGERPRINT}
    run.state["stack"] = {"AppName": "Bank", "Methods": "totp", "LoginSecretName": "mfa/login", "AllowedOrigins": ""}
    run.state["stack"].update(Login="custom", SecretName="")
    assert run("--yes", "--skip-smoke-test", "--existing-table", "restored"), run.shown
    assert (run.state["stack"]["ExistingTableName"], run.state["stack"]["SecretName"]) == ("restored", "own")


def test_of_two_kept_tables_one_must_be_chosen(run):
    run.state["kept"] = {"one": FINGERPRINT, "two": FINGERPRINT}
    assert not run("--yes", *ANSWERS)
    assert "Earlier stacks left the tables one, two" in run.shown and not run.changes


def test_a_new_table_is_begun_if_that_is_asked_for(run):
    run.state["kept"] = {"kept-table": FINGERPRINT}
    assert run("--yes", *ANSWERS, "--skip-smoke-test", "--existing-table", ""), run.shown
    assert (run.state["stack"]["ExistingTableName"], run.state["stack"]["SecretName"]) == ("", "")


def test_a_hash_key_that_is_not_that_of_the_table_is_refused(run):
    other = {**KEYS, "hashKey": base64.b64encode(bytes(32)).decode()}
    run.state["kept"] = {"kept-table": FINGERPRINT}
    run.state["secrets"].update(other=other)
    assert not run("--yes", *ANSWERS)
    assert "Name the secret with the hash key of the table kept-table with --secret-name" in run.shown
    assert not run("--yes", *ANSWERS, "--secret-name", "other")
    assert "is not that of the table kept-table" in run.shown and not run.changes


def test_an_update_that_would_change_the_hash_key_is_refused(run):
    other = {**KEYS, "hashKey": base64.b64encode(bytes(32)).decode()}
    run.state["secrets"].update(other=other, own=KEYS)
    run.state["tables"] = {"table": FINGERPRINT}
    run.state["outputs"]["SecretName"] = "own"
    run.state["stack"] = {"AppName": "Bank", "Methods": "totp", "LoginSecretName": "mfa/login", "AllowedOrigins": ""}
    run.state["stack"].update(Login="custom", SecretName="")
    assert run("--yes", "--skip-smoke-test"), run.shown
    assert run("--yes", "--skip-smoke-test", "--secret-name", "own", "--parameter", "SecretVersionId=1"), run.shown
    assert run("--yes", "--skip-smoke-test"), run.shown
    assert run.state["stack"]["SecretVersionId"] == "1", "a version stays with its secret"
    assert not run("--yes", "--secret-name", "other")
    assert "is not that of the table table" in run.shown and not run.changes
    # The stack would make a secret of its own.
    assert not run("--yes", "--secret-name", "")
    assert "Name the secret with the hash key of the table table" in run.shown and not run.changes


def test_a_failed_deployment_shows_the_first_events_that_failed(run):
    def event(status, reason, kind="AWS::Lambda::Function"):
        where = {"LogicalResourceId": "Keys", "ResourceType": kind}
        return {"ResourceStatus": status, "ResourceStatusReason": reason, **where}

    stack = "AWS::CloudFormation::Stack"
    newest_first = [event("CREATE_FAILED", "Resource creation cancelled"), event("CREATE_FAILED", "set SecretName")]
    newest_first += [event("CREATE_IN_PROGRESS", "User Initiated", stack), event("UPDATE_FAILED", "of another day")]
    run.state.update(fails=True, bucket=True, events=newest_first)
    assert not run("--yes", *ANSWERS)
    assert "Keys (AWS::Lambda::Function): set SecretName" in run.shown
    assert "cancelled" not in run.shown and "another day" not in run.shown
