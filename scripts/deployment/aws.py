"""Calls the AWS CLI."""

import json
import os
import re
import subprocess


NEVER_STOOD = ("its first deployment failed. Delete it first:", "delete-stack", "")
# What is wrong with a stack that cannot be updated, and the command that helps.
REPAIRS = {
    "CREATE_FAILED": NEVER_STOOD,
    "ROLLBACK_COMPLETE": NEVER_STOOD,
    "ROLLBACK_FAILED": NEVER_STOOD,
    "DELETE_FAILED": (
        "a resource could not be deleted. Delete the stack without it, and then the resource itself:",
        "delete-stack",
        " --deletion-mode FORCE_DELETE_STACK",
    ),
    "UPDATE_FAILED": ("an update failed. Take it back first:", "rollback-stack", ""),
    "UPDATE_ROLLBACK_FAILED": (
        "an update could not be taken back. Repair what the events name, and then go on:",
        "continue-update-rollback",
        "",
    ),
}


class Failure(Exception):
    """Says to a person what is wrong and what to do."""


class AwsError(Failure):
    """A call that AWS refused."""


def aws(*words, text=None):
    """The answer of a call. `text` goes to its standard input: a list of processes would show an argument."""
    ran = subprocess.run(["aws", *words, "--output", "json"], input=text, capture_output=True, text=True)
    if ran.returncode:
        raise AwsError(f"aws {' '.join(words[:2])}: {ran.stderr.strip()}")
    # `cloudformation package` prints a sentence.
    return json.loads(ran.stdout) if ran.stdout.lstrip().startswith(("{", "[")) else {}


def account(region=None):
    """The account. Credentials and a region must be there before anything is asked."""
    try:
        region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if not region:
            ran = subprocess.run(["aws", "configure", "get", "region"], capture_output=True, text=True)
            region = ran.stdout.strip()
        if not region:
            raise Failure("No region is set. Give --region, for example --region eu-central-1.")
        # Version 1 of the AWS CLI reads only the second, and version 2 would show answers page by page.
        os.environ.update(AWS_REGION=region, AWS_DEFAULT_REGION=region, AWS_PAGER="")
        return aws("sts", "get-caller-identity")["Account"]
    except FileNotFoundError:
        raise Failure("There is no command `aws`. Install the AWS CLI and give it credentials.") from None
    except AwsError as error:
        if re.search("Could not connect|[Ii]nvalid (endpoint|region)|doesn't match a supported format", str(error)):
            message = f"AWS does not answer in the region {region}. Is it spelt right (--region)?"
            raise Failure(f"{message}\n  {error}") from None
        raise Failure(f"The AWS CLI has no valid credentials.\n  {error}") from None


def stack_of(name):
    """Parameters and outputs of a stack, or None if there is no such stack."""
    try:
        stack = aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
    except AwsError as error:
        if "does not exist" in str(error):
            return None
        raise
    status = stack["StackStatus"]
    if status in REPAIRS:
        why, command, end = REPAIRS[status]
        raise Failure(f"The stack {name} is {status}: {why}\n  aws cloudformation {command} --stack-name {name}{end}")
    # A change set was made, and never carried out.
    if status == "REVIEW_IN_PROGRESS":
        return None
    if status.endswith("_IN_PROGRESS"):
        raise Failure(f"The stack {name} is {status}. Wait until that is done.")
    parameters = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack.get("Parameters", [])}
    outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", [])}
    return parameters, outputs


def secret_of(name):
    """The JSON object that a secret holds, or None if there is no such secret or it holds nothing yet."""
    try:
        # A binary secret has no text.
        text = aws("secretsmanager", "get-secret-value", "--secret-id", name).get("SecretString")
    except AwsError as error:
        if "ResourceNotFoundException" in str(error):
            return None
        raise
    try:
        held = json.loads(text)
    except (ValueError, TypeError):
        held = None
    if not isinstance(held, dict):
        raise Failure(f"The secret {name} holds no JSON object.")
    return held
