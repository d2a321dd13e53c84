"""Shows what template.yaml refuses, and that the environments of its functions are small enough.

A wrong value is best refused before anything is made: by the pattern of a parameter, or by a rule.
What these cannot express a function refuses when it starts. The table says where each fault is
caught. No AWS is asked: the check evaluates patterns, rules and environments itself, and starts the
debug binary of a function with the environment that CloudFormation would give it.
"""

import base64
import json
import os
import re
import subprocess

import pytest
from kit import DEBUG, ROOT
from samcli.yamlhelper import yaml_parse

TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
PARAMETERS = TEMPLATE["Parameters"]
FUNCTIONS = {name: of for name, of in TEMPLATE["Resources"].items() if of["Type"] == "AWS::Serverless::Function"}

EC_PRIVATE = (ROOT / "tests/it/keys/ec.pem").read_text()
EC_PUBLIC = (ROOT / "tests/it/keys/ec.pub.pem").read_text()
RSA_PRIVATE = (ROOT / "tests/it/keys/rsa.pem").read_text()
RSA_PUBLIC = (ROOT / "tests/it/keys/rsa.pub.pem").read_text()
KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
# What the secrets of a stack hold.
SECRETS = {
    "sealingKeys": f"k1:{KEY}",
    "hashKey": KEY,
    "signingKey": EC_PRIVATE,
    "signingPublicKey": EC_PUBLIC,
    "jwtSecret": "0123456789abcdef0123456789abcdef",
    "logins": json.dumps([{"name": "a", "MFA_JWT_SECRET": "0123456789abcdef0123456789abcdef"}]),
}

# The least that each kind of login needs.
SHARED = {"AppName": "Example", "LoginSecretName": "login"}
KEYS = {
    "AppName": "Example",
    "Login": "cognito",
    "JwtIssuer": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_x",
    "JwtAudience": "web",
}
SEVERAL = {"AppName": "Example", "Login": "several", "LoginSecretName": "login"}


class Stack:
    """The template with the values of some parameters and secrets."""

    def __init__(self, parameters, secrets=SECRETS):
        unknown = parameters.keys() - PARAMETERS.keys()
        assert not unknown, unknown
        self.secrets = secrets
        self.values = {name: str(of.get("Default", "")) for name, of in PARAMETERS.items()} | parameters
        self.values["AWS::StackName"] = "mfa"

    def refused_by_a_pattern(self):
        """The parameters whose value their own declaration refuses."""
        return {name for name, of in PARAMETERS.items() if not takes(of, self.values[name])}

    def refused_by_a_rule(self):
        """The rules that do not hold."""
        broken = set()
        for name, rule in TEMPLATE["Rules"].items():
            if self.evaluate(rule.get("RuleCondition", True)):
                broken |= {name for assertion in rule["Assertions"] if not self.evaluate(assertion["Assert"])}
        return broken

    def environment(self, function):
        """The variables of a function, as CloudFormation resolves them."""
        shared = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
        own = FUNCTIONS[function]["Properties"].get("Environment", {}).get("Variables", {})
        return {name: self.resolve(self.evaluate(value)) for name, value in (shared | own).items()}

    def resolve(self, text):
        def secret(found):
            return self.secrets[found[1]]  # a missing key fails the deployment

        return re.sub(r"\{\{resolve:secretsmanager:[^}]*:SecretString:(\w+)[:\w-]*\}\}", secret, text)

    def evaluate(self, value):
        if not isinstance(value, dict):
            return [self.evaluate(part) for part in value] if isinstance(value, list) else value
        (function, argument), = value.items()
        if function == "Fn::If":
            condition, yes, no = argument
            return self.evaluate(yes if self.holds(condition) else no)
        if function == "Fn::Sub":
            text, names = argument if isinstance(argument, list) else (argument, {})
            names = {name: self.evaluate(of) for name, of in names.items()}
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: str(names.get(found[1], self.values.get(found[1], found[1]))), text)
        if function == "Condition":
            return self.holds(argument)
        if function == "Ref":
            return self.values.get(argument, argument)
        if function == "Fn::GetAtt":
            return ".".join(argument) if isinstance(argument, list) else argument
        arguments = self.evaluate(argument)
        return {
            "Fn::Equals": lambda one, other: one == other,
            "Fn::Not": lambda one: not one,
            "Fn::And": lambda *all_of: all(all_of),
            "Fn::Or": lambda *any_of: any(any_of),
            "Fn::Contains": lambda texts, text: text in texts,
            "Fn::Split": lambda separator, text: text.split(separator),
            "Fn::Join": lambda separator, texts: separator.join(texts),
            "Fn::Select": lambda place, texts: texts[place],
        }[function](*arguments)

    def evaluate_all(self, value):
        """What a part of the template becomes, which has keys of its own beside functions."""
        if isinstance(value, dict) and not any(name == "Ref" or name.startswith("Fn::") for name in value):
            return {name: self.evaluate_all(of) for name, of in value.items()}
        if isinstance(value, dict) and "Fn::If" in value:
            condition, yes, no = value["Fn::If"]
            return self.evaluate_all(yes if self.holds(condition) else no)
        return self.evaluate(value)

    def holds(self, condition):
        return self.evaluate(TEMPLATE["Conditions"][condition])

    def start(self, function, binary):
        """What a function says when it starts. It has no Lambda to connect to."""
        variables = {name: value for name, value in self.environment(function).items() if value != "Table"}
        environment = {
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "key",
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
            "AWS_LAMBDA_FUNCTION_NAME": "function",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "MFA_TABLE": "table",
            **variables,
            "MFA_DYNAMODB_ENDPOINT": "http://127.0.0.1:1",
        }
        ran = subprocess.run([DEBUG.parent / binary], env=environment, capture_output=True, text=True, timeout=30)
        return ran.stdout + ran.stderr


def takes(parameter, value):
    if "AllowedValues" in parameter and value not in map(str, parameter["AllowedValues"]):
        return False
    if "AllowedPattern" in parameter and not re.search(parameter["AllowedPattern"], value):
        return False
    if "MaxLength" in parameter and not parameter.get("MinLength", 0) <= len(value) <= parameter["MaxLength"]:
        return False
    return "MinValue" not in parameter or float(value) >= parameter["MinValue"]


RULE, PATTERN, START = "rule", "pattern", "start"

POOL = "arn:aws:sms-voice:eu-central-1:123456789012:pool/pool-0123456789abcdef"
THROUGH = f"MFA_SMS_SERVICE=end-user-messaging MFA_SMS_ORIGINATION_IDENTITY={POOL}"


def with_settings(base, text):
    return base | {"Settings": text}


# What is wrong, where it is caught, and by what: a rule, a parameter, or the variable that the
# function names.
FAULTS = [
    (SHARED | {"AppName": ""}, PATTERN, "AppName"),
    (SHARED | {"AppName": "   "}, PATTERN, "AppName"),
    (SHARED | {"AppName": "a:b"}, PATTERN, "AppName"),
    (SHARED | {"AppName": "x" * 33}, PATTERN, "AppName"),
    (SHARED | {"AppName": "日本"}, START, "MFA_APP_NAME"),
    (SHARED | {"Methods": ""}, PATTERN, "Methods"),
    (SHARED | {"Methods": "totp, email"}, PATTERN, "Methods"),
    (SHARED | {"Methods": "totp,push"}, PATTERN, "Methods"),
    (SHARED | {"Methods": "totp,totp"}, RULE, "EachMethodOnce"),
    (SHARED | {"Methods": "totp,email"}, RULE, "EmailHasASender"),
    (SHARED | {"Methods": "email"}, RULE, "EmailHasASender"),
    (SHARED | {"Methods": "totp,sms", "SmsCountries": "+1"}, RULE, "TextMessagesHaveADomainAndCountries"),
    (SHARED | {"Methods": "sms", "SmsDomain": "example.com"}, RULE, "TextMessagesHaveADomainAndCountries"),
    (SHARED | {"EmailFrom": "Example <a@example.com>"}, PATTERN, "EmailFrom"),
    (SHARED | {"EmailFrom": "a@Example.com"}, PATTERN, "EmailFrom"),
    (SHARED | {"Methods": "email", "EmailFrom": "a..b@example.com"}, START, "MFA_EMAIL_FROM"),
    (SHARED | {"SmsCountries": "44"}, PATTERN, "SmsCountries"),
    (SHARED | {"SmsCountries": "+0"}, PATTERN, "SmsCountries"),
    (SHARED | {"SmsDomain": "https://example.com"}, PATTERN, "SmsDomain"),
    (SHARED | {"SmsDomain": "localhost"}, PATTERN, "SmsDomain"),
    (
        SHARED | {"AppName": "x" * 32, "Methods": "sms", "SmsCountries": "+1", "SmsDomain": "a" * 60 + ".example.com"},
        START,
        "MFA_SMS_DOMAIN",
    ),
    (SHARED | {"SmsSpendAlarmUsd": "0"}, PATTERN, "SmsSpendAlarmUsd"),
    (SHARED | {"Login": "keycloack"}, PATTERN, "Login"),
    ({"AppName": "Example", "Login": "cognito", "JwtAudience": "web"}, RULE, "ProviderHasAnIssuer"),
    ({"AppName": "Example", "Login": "keycloak", "JwtIssuer": "https://id.example.com/realms/a"}, RULE, "ProviderHasAnAudience"),
    (KEYS | {"Login": "firebase", "JwtAudience": ""}, RULE, "ProviderHasAnAudience"),
    # A login of one's own without a secret needs a key, which stands in Settings.
    ({"AppName": "Example"}, RULE, "OwnLoginHasAKey"),
    ({"AppName": "Example", "Login": "nest-auth"}, RULE, "OwnLoginHasAKey"),
    (with_settings({"AppName": "Example"}, "MFA_REQUIRED=true"), START, "MFA_JWT_SECRET"),
    ({"AppName": "Example", "Login": "supabase"}, RULE, "SupabaseHasAnIssuerOrASecret"),
    (KEYS | {"LoginSecretName": "login"}, RULE, "SharedSecretOfAProviderIsNamedInSettings"),
    (KEYS | {"JwtIssuer": "https://x y"}, PATTERN, "JwtIssuer"),
    (KEYS | {"JwtAudience": "a,,b"}, PATTERN, "JwtAudience"),
    (SHARED | {"SmsCountries": "!+1"}, PATTERN, "SmsCountries"),
    (SHARED | {"SecretName": "a:b:c"}, PATTERN, "SecretName"),
    (with_settings({"AppName": "Example"}, "MFA_JWT_ALGORITHM=ES256"), START, "MFA_JWT_PUBLIC_KEY"),
    (with_settings(KEYS | {"LoginSecretName": "login"}, "MFA_REQUIRED=true"), START, "MFA_JWT_SECRET"),
    ({"AppName": "Example", "Login": "several"}, RULE, "SeveralLoginsStandInTheSecret"),
    (SEVERAL | {"JwtIssuer": "https://example.com"}, RULE, "SeveralLoginsStandInTheSecret"),
    (SEVERAL | {"JwtAudience": "web"}, RULE, "SeveralLoginsStandInTheSecret"),
    (with_settings(SEVERAL, "MFA_JWT_USER_CLAIM=id"), START, "MFA_LOGINS"),
    (SHARED | {"LoginSecretName": "two names"}, PATTERN, "LoginSecretName"),
    (SHARED | {"AllowedOrigins": "https://example.com/"}, PATTERN, "AllowedOrigins"),
    (SHARED | {"AllowedOrigins": "*"}, PATTERN, "AllowedOrigins"),
    (SHARED | {"DomainName": "https://mfa.example.com"}, PATTERN, "DomainName"),
    (with_settings(SHARED, "required=true"), PATTERN, "Settings"),
    (with_settings(SHARED, "MFA_REQUIRED"), PATTERN, "Settings"),
    (with_settings(SHARED, "MFA_REQUIRED=yes"), START, "MFA_REQUIRED"),
    (with_settings(SHARED, "MFA_REQIRED=true"), START, "MFA_REQIRED"),
    (with_settings(SHARED, "MFA_METHODS=totp"), START, "MFA_SETTINGS"),
    (with_settings(SHARED, "MFA_EMAIL_FROM=a@example.com"), START, "MFA_SETTINGS"),
    (with_settings(SHARED, f"MFA_HASH_KEY={KEY}"), START, "MFA_SETTINGS"),
    (with_settings(SHARED, f"MFA_NEXT_SIGNING_KEY={EC_PRIVATE}"), START, "MFA_SETTINGS"),
    (with_settings(SHARED, "MFA_ENABLED=1"), START, "MFA_ENABLED"),
    (with_settings(SHARED, "MFA_ALLOW_USER_TOGGLE=1"), START, "MFA_ALLOW_USER_TOGGLE"),
    (with_settings(SHARED, "MFA_ALLOW_METHOD_SELECTION=1"), START, "MFA_ALLOW_METHOD_SELECTION"),
    (with_settings(SHARED, "MFA_BIND_ADDRESSES=1"), START, "MFA_BIND_ADDRESSES"),
    (with_settings(SHARED, "MFA_ENROL_WITH_CODE=1"), START, "MFA_ENROL_WITH_CODE"),
    (with_settings(SHARED, "MFA_SESSIONS=1"), START, "MFA_SESSIONS"),
    (with_settings(SHARED, "MFA_TRUSTED_DEVICES=1"), START, "MFA_TRUSTED_DEVICES"),
    (with_settings(SHARED, "MFA_KNOWN_NETWORKS=1"), START, "MFA_KNOWN_NETWORKS"),
    (with_settings(SHARED, "MFA_NATIVE_ROOTS=1"), START, "MFA_NATIVE_ROOTS"),
    (with_settings(SHARED, "MFA_JWT_ANY_TOKEN=1"), START, "MFA_JWT_ANY_TOKEN"),
    (with_settings(SHARED, "MFA_CODE_LENGTH=5"), START, "MFA_CODE_LENGTH"),
    (with_settings(SHARED, "MFA_CODE_LIFETIME=601"), START, "MFA_CODE_LIFETIME"),
    (with_settings(SHARED, "MFA_SESSION_LIFETIME=86400"), START, "MFA_SESSION_LIFETIME"),
    (with_settings(SHARED, "MFA_ACCESS_TOKEN_LIFETIME=901"), START, "MFA_ACCESS_TOKEN_LIFETIME"),
    (with_settings(SHARED, "MFA_SMS_PER_DAY=0"), START, "MFA_SMS_PER_DAY"),
    (SHARED | {"Methods": "passkey"}, START, "MFA_PASSKEY_RP_ID"),
    (with_settings(SHARED, "MFA_PASSKEY_RP_ID=https://example.com"), START, "MFA_PASSKEY_RP_ID"),
    (with_settings(SHARED, "MFA_PASSKEY_ORIGINS=http://example.com"), START, "MFA_PASSKEY_ORIGINS"),
    (with_settings(SHARED, "MFA_PASSKEY_SECURITY_KEYS=1"), START, "MFA_PASSKEY_SECURITY_KEYS"),
    (with_settings(SHARED, "MFA_FORWARDED_HOPS=6"), START, "MFA_FORWARDED_HOPS"),
    (with_settings(SHARED, "MFA_AWS_TIMEOUT_MS=99"), START, "MFA_AWS_TIMEOUT_MS"),
    (with_settings(SHARED, "MFA_SEALING_KEY=k2"), START, "MFA_SEALING_KEY"),
    (with_settings(SHARED, "MFA_REQUIRE_VERIFIED_CONTACT=yes"), START, "MFA_REQUIRE_VERIFIED_CONTACT"),
    (with_settings(SHARED, "MFA_JWT_ALGORITHM=none"), START, "MFA_JWT_ALGORITHM"),
    (with_settings(SHARED, "MFA_JWT_ALGORITHM=ES256 MFA_JWT_PUBLIC_KEY=x"), START, "MFA_JWT_PUBLIC_KEY"),
    (with_settings(SHARED, "MFA_JWT_ALGORITHM=ES256 MFA_JWT_KEY_SET={}"), START, "MFA_JWT_KEY_SET"),
    (with_settings(KEYS, "MFA_JWT_KEY_SET_URL=http://example.com"), START, "MFA_JWT_KEY_SET_URL"),
    (with_settings(SHARED, "MFA_JWT_USER_CLAIM=user_metadata/id"), START, "MFA_JWT_USER_CLAIM"),
    (with_settings(SHARED, "MFA_JWT_EMAIL_CLAIM=user_metadata/email"), START, "MFA_JWT_EMAIL_CLAIM"),
    (with_settings(SHARED, "MFA_JWT_PHONE_CLAIM=a,a"), START, "MFA_JWT_PHONE_CLAIM"),
    (with_settings(SHARED, "MFA_JWT_PHONE_PREFIX=49"), START, "MFA_JWT_PHONE_PREFIX"),
    (with_settings(SHARED, "MFA_JWT_LOGIN_CLAIM=,"), START, "MFA_JWT_LOGIN_CLAIM"),
    (with_settings(SHARED, "MFA_JWT_REQUIRED_CLAIM=user_metadata/mfa"), START, "MFA_JWT_REQUIRED_CLAIM"),
    (with_settings(SHARED, "MFA_JWT_REQUIRED_FROM_CLAIM=auth_time"), START, "MFA_JWT_REQUIRED_FROM_CLAIM"),
    (with_settings(SHARED, "MFA_JWT_EXEMPT_CLAIM=mfa"), START, "MFA_JWT_EXEMPT_CLAIM"),
    (with_settings(SHARED, "MFA_JWT_TRUSTED_AMR=mfa,mfa"), START, "MFA_JWT_TRUSTED_AMR"),
    (with_settings(KEYS, "MFA_JWT_SOURCE_IP_CLAIM=ip"), START, "MFA_JWT_SOURCE_IP_CLAIM"),
    (with_settings(SHARED, "MFA_ISSUER=https://mfa.example.com"), START, "MFA_ISSUER"),
    (with_settings(SHARED, 'MFA_ADD_CLAIMS={"sub":"x"}'), START, "MFA_ADD_CLAIMS"),
    (with_settings(SHARED, f"MFA_NEXT_SIGNING_KEY={EC_PUBLIC}"), START, "MFA_NEXT_SIGNING_KEY"),
    (with_settings(KEYS, "MFA_NEXT_SIGNING_KEY=x"), START, "MFA_NEXT_SIGNING_KEY"),
    (with_settings(SHARED, "MFA_JWT_LOCALE_CLAIM=user_metadata/locale"), START, "MFA_JWT_LOCALE_CLAIM"),
    (with_settings(SHARED, "MFA_EMAIL_LOGO_URL=http://example.com/logo.png"), START, "MFA_EMAIL_LOGO_URL"),
    (with_settings(SHARED, "MFA_EMAIL_SUPPORT=https://example.com"), START, "MFA_EMAIL_SUPPORT"),
    (with_settings(SHARED, "MFA_EMAIL_COLOR=blue"), START, "MFA_EMAIL_COLOR"),
    (with_settings(SHARED, "MFA_EMAIL_CONFIGURATION_SET=two words"), START, "MFA_EMAIL_CONFIGURATION_SET"),
    (with_settings(SHARED, "MFA_DEFAULT_LOCALE=sv"), START, "MFA_DEFAULT_LOCALE"),
    (with_settings(SHARED, 'MFA_MESSAGES={"de":{"subject":"no name"}}'), START, "MFA_MESSAGES"),
    (with_settings(SHARED, "MFA_SMS_ORIGINATION_NUMBER=x"), START, "MFA_SMS_ORIGINATION_NUMBER"),
    (with_settings(SHARED, "MFA_SMS_SENDER_ID=much-too-long"), START, "MFA_SMS_SENDER_ID"),
    (with_settings(SHARED, "MFA_SMS_MAX_PRICE=0"), START, "MFA_SMS_MAX_PRICE"),
    (with_settings(SHARED, f"{THROUGH} MFA_SMS_MAX_PRICE=1"), START, "MFA_SMS_MAX_PRICE"),
    (with_settings(SHARED, "MFA_SMS_SERVICE=pinpoint"), START, "MFA_SMS_SERVICE"),
    (with_settings(SHARED, f"{THROUGH} MFA_SMS_SENDER_ID=Example"), START, "MFA_SMS_SENDER_ID"),
    (with_settings(SHARED, f"MFA_SMS_ORIGINATION_IDENTITY={POOL}"), START, "MFA_SMS_ORIGINATION_IDENTITY"),
    (
        with_settings(SHARED, "MFA_SMS_SERVICE=end-user-messaging MFA_SMS_ORIGINATION_IDENTITY=+12025550123"),
        START,
        "MFA_SMS_ORIGINATION_IDENTITY",
    ),
    (
        with_settings(SHARED, "MFA_SMS_SERVICE=end-user-messaging")
        | {"Methods": "sms", "SmsCountries": "+1", "SmsDomain": "example.com"},
        START,
        "MFA_SMS_ORIGINATION_IDENTITY",
    ),
    (with_settings(SHARED, f"{THROUGH} MFA_SMS_CONFIGURATION_SET={POOL}"), START, "MFA_SMS_CONFIGURATION_SET"),
    (with_settings(SHARED, f"{THROUGH} MFA_SMS_PROTECT_CONFIGURATION=a b"), START, "MFA_SMS_PROTECT_CONFIGURATION"),
    (with_settings(SHARED, f"{THROUGH} MFA_SMS_DLT_ENTITY_ID=1201"), START, "MFA_SMS_DLT_TEMPLATE_ID"),
    (with_settings(SHARED, f"{THROUGH} MFA_SMS_DLT_TEMPLATE_ID=1107"), START, "MFA_SMS_DLT_ENTITY_ID"),
    (with_settings(SHARED, "MFA_NOTICES=some"), START, "MFA_NOTICES"),
    (with_settings(SHARED, "MFA_NOTICES=all"), START, "MFA_EMAIL_FROM"),
    (with_settings(SHARED, "MFA_EVENT_BUS=mfa"), START, "MFA_EVENT_BUS"),
    (with_settings(SHARED, "MFA_TABLE_STREAM=mfa"), START, "MFA_TABLE_STREAM"),
    (with_settings(SHARED, "MFA_AUTHORIZER_ROUTES=POST /a = mfa"), START, "MFA_AUTHORIZER_ROUTES"),
    (with_settings(SHARED, "MFA_AUTHORIZER_CLAIMS=sub"), START, "MFA_AUTHORIZER_CLAIMS"),
    (SHARED | {"AlarmEmail": "nobody"}, PATTERN, "AlarmEmail"),
    (SHARED | {"Tracing": "true"}, PATTERN, "Tracing"),
    (SHARED | {"SecretName": "two names"}, PATTERN, "SecretName"),
    (SHARED | {"SecretVersionId": "2"}, PATTERN, "SecretVersionId"),
    (SHARED | {"SigningKeyType": "HS256"}, PATTERN, "SigningKeyType"),
    (SHARED | {"ExistingTableName": "kept"}, RULE, "KeptTableHasItsKeys"),
    (SHARED | {"ExistingTableName": "a/b", "SecretName": "mfa"}, PATTERN, "ExistingTableName"),
    (SHARED | {"KmsKeyArn": "alias/mfa"}, PATTERN, "KmsKeyArn"),
]
# The same for what the secrets hold.
FAULTS_OF_SECRETS = [
    (SHARED, {"jwtSecret": "too short"}, "MFA_JWT_SECRET"),
    (SHARED, {"hashKey": "AAAA"}, "MFA_HASH_KEY"),
    (SHARED, {"sealingKeys": KEY}, "MFA_SEALING_KEYS"),
    (KEYS, {"signingKey": EC_PUBLIC}, "MFA_SIGNING_KEY"),
    (KEYS, {"signingPublicKey": EC_PRIVATE}, "MFA_SIGNING_PUBLIC_KEY"),
    (SEVERAL, {"logins": "[]"}, "MFA_LOGINS"),
]

def told_at_start(stack, name):
    """The functions that name the variable when they start."""
    functions = ["VerifyFunction", "ChallengeFunction", "AuthorizerFunction", "JwksFunction", "NotifyFunction"]
    functions.append("VerifyPasskeyFunction")
    binary = lambda function: re.sub("(?!^)(?=[A-Z])", "-", function.removesuffix("Function")).lower()
    said = {function: stack.start(function, binary(function)) for function in functions}
    return {function for function, text in said.items() if re.search(rf"^ +{name} ", text, re.M)}, said


@pytest.mark.parametrize(("base"), [SHARED, KEYS, SEVERAL])
def test_what_is_right_is_taken_everywhere(base):
    stack = Stack(base)
    assert not stack.refused_by_a_pattern() and not stack.refused_by_a_rule()
    _, said = told_at_start(stack, "MFA_")
    for function, text in said.items():
        assert "faults" not in text and "Connect" in text, f"{function}: {text}"


@pytest.mark.parametrize(("parameters", "where", "by"), FAULTS)
def test_each_fault_is_caught_where_the_table_says(parameters, where, by):
    stack = Stack(parameters)
    patterns = stack.refused_by_a_pattern()
    if where == PATTERN:
        assert patterns == {by}
        return
    assert not patterns
    rules = stack.refused_by_a_rule()
    if where == RULE:
        assert rules == {by}
        return
    assert not rules
    functions, said = told_at_start(stack, by)
    assert functions, said


@pytest.mark.parametrize(("parameters", "secrets", "by"), FAULTS_OF_SECRETS)
def test_a_wrong_secret_is_told_by_the_function_that_reads_it(parameters, secrets, by):
    functions, said = told_at_start(Stack(parameters, SECRETS | secrets), by)
    assert functions, said


def test_the_table_has_a_fault_of_every_parameter_and_variable():
    named = {by for _, _, by in FAULTS} | {by for *_, by in FAULTS_OF_SECRETS}
    rows = re.findall(r"^\| `(MFA_\w+)`.*?\| (.*?) \|", (ROOT / "docs/configuration.md").read_text(), re.M)
    missing = [name for name, place in rows if place == "`Settings`" and name not in named]
    assert not missing
    with_rules = {parameter for text in map(str, TEMPLATE["Rules"].values()) for parameter in PARAMETERS if f"'{parameter}'" in text}
    unchecked = {name for name in PARAMETERS if name not in named | with_rules}
    assert not unchecked
    assert TEMPLATE["Rules"].keys() <= named


def test_the_parameters_are_few_and_each_has_its_place_in_the_console():
    assert len(PARAMETERS) <= 20
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(PARAMETERS) and interface["ParameterLabels"].keys() == PARAMETERS.keys()
    for name, parameter in PARAMETERS.items():
        assert "AllowedPattern" not in parameter or parameter["ConstraintDescription"], name


def test_the_largest_environment_fits_into_what_lambda_allows():
    key_set = {"keys": [{"kty": "RSA", "n": modulus(), "e": "AQAB", "alg": "RS256", "use": "sig", "kid": "k" * 32 + str(n)} for n in range(2)]}
    settings = [
        "MFA_REQUIRED=true",
        "MFA_JWT_KEY_SET=" + json.dumps(key_set, separators=(",", ":")),
        "MFA_NEXT_SIGNING_KEY=" + RSA_PUBLIC.strip().replace("\n", ""),
    ]
    stack = Stack(
        {
            "AppName": "x" * 32,
            "Methods": "totp,email,sms",
            "Login": "custom",
            "JwtIssuer": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abcdefghi",
            "JwtAudience": "0123456789abcdefghijklmnop,abcdefghijklmnop0123456789",
            "EmailFrom": "no-reply@accounts.example.com",
            "SmsCountries": "+1,+44,+49,!+4470",
            "SmsDomain": "accounts.example.com",
            "Settings": "MFA_JWT_ALGORITHM=RS256 " + " ".join(settings),
        },
        SECRETS | {"signingKey": RSA_PRIVATE, "signingPublicKey": RSA_PUBLIC},
    )
    assert not stack.refused_by_a_pattern() and not stack.refused_by_a_rule()
    sizes = {name: size_of(stack.environment(name) | {"MFA_TABLE": "mfa-Table-ABCDEFGHIJKL"}) for name in FUNCTIONS}
    largest = max(sizes, key=sizes.get)
    print(f"  the largest environment is that of {largest}: {sizes[largest]} of 4,096 bytes")
    assert sizes[largest] <= 4096
    _, said = told_at_start(stack, "MFA_")
    for function, text in said.items():
        assert "Connect" in text, f"{function}: {text}"


def modulus():
    return base64.urlsafe_b64encode(os.urandom(256)).rstrip(b"=").decode()


def size_of(variables):
    return sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())


def permissions(stack, function):
    """The resources of each call that a function may make."""
    statements = FUNCTIONS[function]["Properties"]["Policies"][0]["Statement"]
    evaluated = [stack.evaluate_all(statement) for statement in statements]
    return {of["Action"]: of["Resource"] for of in evaluated if isinstance(of, dict) and of["Effect"] == "Allow" and isinstance(of["Action"], str)}


def test_text_messages_are_allowed_through_the_service_that_sends_them_and_from_one_identity():
    sends = {"Methods": "totp,sms", "SmsCountries": "+1", "SmsDomain": "example.com"}
    of_sns, of_other = "sns:Publish", "sms-voice:SendTextMessage"
    for settings, expected in [
        ("", {of_sns: "*"}),
        ("MFA_SMS_SENDER_ID=Example", {of_sns: "*"}),
        (THROUGH, {of_other: POOL}),
        (f"MFA_REQUIRED=true\n{THROUGH}\nMFA_CODE_LENGTH=8", {of_other: POOL}),
        (f"{THROUGH} MFA_CODE_LENGTH=8 MFA_REQUIRED=true", {of_other: POOL}),
    ]:
        stack = Stack(with_settings(SHARED | sends, settings))
        assert not stack.refused_by_a_pattern() and not stack.refused_by_a_rule()
        allowed = permissions(stack, "ChallengeFunction")
        assert {call: of for call, of in allowed.items() if call in (of_sns, of_other)} == expected, settings
        _, said = told_at_start(stack, "MFA_")
        assert "Connect" in said["ChallengeFunction"], said
    off = permissions(Stack(with_settings(SHARED, THROUGH)), "ChallengeFunction")
    assert not {of_sns, of_other} & off.keys(), "without a country nothing is sent"


def test_the_stream_is_connected_only_if_somebody_is_told_and_the_bus_is_the_only_one_that_may_be_fed():
    bus = "arn:aws:events:eu-central-1:123456789012:event-bus/security"
    stream = "arn:aws:dynamodb:eu-central-1:123456789012:table/kept/stream/2026-01-01T00:00:00.000"
    mails = {"Methods": "totp,email", "EmailFrom": "a@example.com"}
    kept = {"ExistingTableName": "kept", "SecretName": "keys"}
    for parameters, settings, tells, fed in [
        ({}, "", False, None),
        (mails, "", True, None),
        (mails, "MFA_NOTICES=off", False, None),
        (mails, "MFA_NOTICES=all", True, None),
        ({}, f"MFA_EVENT_BUS={bus} MFA_REQUIRED=true", True, bus),
        (mails | kept, "", False, None),
        (mails | kept, f"MFA_TABLE_STREAM={stream}\nMFA_EVENT_BUS={bus}", True, bus),
    ]:
        stack = Stack(with_settings(SHARED | parameters, settings))
        assert not stack.refused_by_a_pattern() and not stack.refused_by_a_rule()
        assert stack.holds("Notifies") == tells, settings
        allowed = permissions(stack, "NotifyFunction")
        assert allowed.get("events:PutEvents") == fed, settings
        assert ("ses:SendEmail" in allowed) == (bool(parameters) and settings != "MFA_NOTICES=off")
        if "MFA_TABLE_STREAM" in settings:
            mapping = TEMPLATE["Resources"]["NoticeStream"]["Properties"]
            assert stack.evaluate(mapping["EventSourceArn"]) == stream
        _, said = told_at_start(stack, "MFA_")
        assert "Connect" in said["NotifyFunction"], said


def test_functions_that_do_not_sign_get_no_key_that_signs():
    stack = Stack(KEYS)
    private = {name for name in FUNCTIONS if "PRIVATE KEY" in json.dumps(stack.environment(name))}
    signs = {"Verify", "VerifyTotpSetup", "VerifyRecoveryCode", "VerifyTrustedDevice", "RefreshToken", "Toggle"}
    signs |= {"VerifyPasskey", "VerifyPasskeySetup"}
    assert private == {f"{name}Function" for name in signs}
    assert "resolve" not in json.dumps(stack.environment("MakeKeysFunction"))
    assert not any(stack.environment("MakeKeysFunction").get(name) for name in ("MFA_HASH_KEY", "MFA_SEALING_KEYS"))
