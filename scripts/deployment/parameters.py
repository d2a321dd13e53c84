"""The parameters of the template: which there are, and what became of those of earlier templates."""

import base64
import difflib
import json
import re
import secrets
import shlex
import subprocess
from pathlib import Path

from .aws import Failure
from .questions import QUESTIONS

# The defaults of parameters that became variables in Settings, where they were not empty.
OLD_DEFAULTS = {
    "Enabled": "true", "Required": "false", "AllowUserToggle": "true", "AllowMethodSelection": "true",
    "CodeLength": "6", "CodeLifetime": "300", "BindAddresses": "true", "EnrolWithCode": "false",
    "Sessions": "true", "SessionLifetime": "43200", "TrustedDevices": "true", "AccessTokenLifetime": "900",
    "SmsPerDay": "1000", "ForwardedHops": "0", "KnownNetworks": "true", "HasLogins": "false",
    "ThrottlingRate": "100", "ThrottlingBurst": "200", "ExampleRoute": "false", "Architecture": "arm64",
    "LogRetentionDays": "90",
}

# The parameters that became no variable, and what to do instead.
REPLACED = {
    "HasLogins": "Give --login several, and --login-secret with the secret that holds logins.",
    "EnvironmentKeyArn": "Give --parameter KmsKeyArn=KEY, which encrypts table and logs too, so its policy must let"
    " CloudWatch Logs use it. An empty one goes on without a key.",
    "SigningPublicKey": "It stands in the secret of --secret-name now, as signingPublicKey beside signingKey.",
    "AlarmTopicArn": "The stack has a topic of its own, its output AlarmTopicArn. Subscribe to it whoever your topic"
    " tells, or give --parameter AlarmEmail=ADDRESS.",
    "LogRetentionDays": "The template says how long logs are kept. Set another time in CloudWatch Logs.",
    "ThrottlingRate": "The template says how many requests a second pass, for each route.",
    "ThrottlingBurst": "The template says how many requests at once pass, for each route.",
    "ExampleRoute": "The template has no example route any more.",
    "Architecture": "The functions are for the processor that the release was built for (--architecture).",
}


def names_of(template):
    """The parameters of a template. The standard library cannot read YAML, but the lines suffice."""
    section = re.search(r"^Parameters:\n(.*?)(?=^\S|\Z)", template, re.M | re.S)
    return re.findall(r"^  (\w+):", section.group(1), re.M) if section else []


def variables_of(folder):
    """The variables that Settings of a release may hold."""
    own = Path(__file__).with_name("variables.txt")
    of_release = folder / "scripts" / "deployment" / "variables.txt"
    return (of_release if of_release.exists() else own).read_text().split()


def check_names(settings, variables):
    """Refuses a setting that no function knows: functions do not start with it."""
    for name in settings.keys() - set(variables):
        near = difflib.get_close_matches(name, variables, 1, 0)[0]
        raise Failure(f"--settings holds {name}, which is unknown. The nearest known name is {near}.")


# The parameters that become variables, and what stands for secrets while values are checked. The
# functions take keys of development where nothing is deployed.
VARIABLES = {
    "MFA_APP_NAME": "AppName", "MFA_METHODS": "Methods", "MFA_LOGIN": "Login", "MFA_JWT_ISSUER": "JwtIssuer",
    "MFA_JWT_AUDIENCE": "JwtAudience", "MFA_EMAIL_FROM": "EmailFrom", "MFA_SMS_DOMAIN": "SmsDomain",
    "MFA_SMS_COUNTRIES": "SmsCountries", "MFA_SETTINGS": "Settings",
}
OF_DEVELOPMENT = "mfa-development-secret-known-to-everybody"


def check_values(folder, parameters, settings, kind):
    """Refuses values with which no function starts. The local server of the release reads them as functions do.

    Says whether it could: the server is a program for Linux and the processor of the functions.
    """
    variables = {name: parameters.get(parameter, "") for name, parameter in VARIABLES.items()}
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    variables["MFA_SEALING_KEYS"] = f"{settings.get('MFA_SEALING_KEY', 'k1')}:{key}"
    if kind == "secret":
        variables["MFA_JWT_SECRET"] = OF_DEVELOPMENT
    if kind == "several":
        variables["MFA_LOGIN"] = ""
        variables["MFA_LOGINS"] = json.dumps([{"name": "login", "MFA_JWT_SECRET": OF_DEVELOPMENT}])
    built_here = Path(__file__).resolve().parents[2] / "target" / "debug" / "mfa-local"
    for program in (folder / "mfa-local", built_here):
        try:
            ran = subprocess.run([program, "check-settings"], input=json.dumps(variables), capture_output=True, text=True)
        except OSError:
            continue
        if ran.returncode:
            raise Failure(f"No function would start with these values: {ran.stderr.strip().removeprefix('mfa-local: ')}")
        return True
    return False


def other_parameters(pairs, names):
    """The parameters of --parameter. None may have an option of its own."""
    with_option = [*QUESTIONS, "Settings", "SecretName", "ExistingTableName"]
    allowed = [name for name in names if name not in with_option]
    for pair in pairs:
        if pair.partition("=")[0] not in allowed or "=" not in pair:
            raise Failure(
                f"--parameter {pair} must be NAME=VALUE of a parameter that has no option of its own:"
                f" {', '.join(allowed)}."
            )
    return dict(pair.split("=", 1) for pair in pairs)


def check_all_known(parameters, names, folder):
    """Refuses a template that lacks a parameter: AWS would leave the answer out without a word."""
    if unknown := [name for name, value in parameters.items() if value and name not in names]:
        lacks = f"The template in {folder} has no {', '.join(unknown)}."
        raise Failure(f"{lacks} Deploy it with the script of its release.")


def check_backslashes(parameters):
    """Refuses what SAM would read otherwise in samconfig.toml: it takes a backslash for one before a quote."""
    for name, value in parameters.items():
        if re.search(r'\\("|$)', value):
            raise Failure(f"{name} must not end in a backslash, nor have one before a quote: sam deploy misreads that.")


def dropped(before, names):
    """The parameters of the stack that the template lacks, and that say something."""
    gone = {name: value.strip() for name, value in before.items() if name not in names}
    return {name: value for name, value in gone.items() if value not in ("", OLD_DEFAULTS.get(name))}


def variable_of(parameter):
    """The variable that took the place of a parameter."""
    if parameter == "NextSigningPublicKey":
        return "MFA_NEXT_SIGNING_KEY"
    return "MFA_" + re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).upper()


def check_upgrade(before, names, variables, options, settings):
    """Refuses to lose a setting of a stack whose template had parameters that are variables now.

    Returns what is lost all the same, once somebody has named every setting.
    """
    gone = dropped(before, names)
    moved = {variable: name for name in gone if (variable := variable_of(name)) in variables}
    rest = [name for name in gone if name not in moved.values()]
    told = [f"{name} = {gone[name]}: {REPLACED.get(name, 'Nothing replaces it.')}" for name in rest]
    open_points = moved.keys() - settings.keys()
    if "EnvironmentKeyArn" in gone and not any(pair.startswith("KmsKeyArn=") for pair in options.parameter):
        open_points.add("KmsKeyArn")
    if "HasLogins" in gone and options.Login != "several":
        open_points.add("Login")
    if open_points or (told and options.settings is None):
        # One line, as a shell and the service read it.
        values = {variable: gone[name] for variable, name in moved.items()}
        lines = {name: value.replace("\n", "\\n" if "-----BEGIN" in value else " ") for name, value in values.items()}
        text = " ".join(f"{name}={value}" for name, value in {**lines, **settings}.items())
        first = "The stack was made with a template that had a parameter for each setting. Say what stays:"
        raise Failure("\n  ".join([first, f"--settings {shlex.quote(text)}", *told]))
    return told
