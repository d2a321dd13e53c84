"""Shows that each function starts with the environment that `sam local invoke --env-vars` hands it.

The check needs no Docker, because it leaves out the container. SAM's own code makes the environment
from template.yaml and the file that `--services-only` wrote. With it, each function's debug binary
must get as far as a call to Lambda's Runtime API, which fails because there is none.
"""

import json
import os
import subprocess

import pytest
from kit import DEBUG, ROOT, SCRATCH, Services
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

ENV_FILE = SCRATCH / "local.json"
LAMBDA = {
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_LOG_GROUP_NAME": "",
    "AWS_LAMBDA_LOG_STREAM_NAME": "",
}


@pytest.fixture(scope="module")
def given():
    """The file that `sam local invoke --env-vars` takes."""
    with Services("services-for-sam", ENV_FILE):
        yield json.loads(ENV_FILE.read_text())


def functions_of_the_template():
    """The functions whose binaries are built here. The example route is not one of them."""
    stacks, _ = SamLocalStackProvider.get_stacks(str(ROOT / "template.yaml"))
    found = {}
    for function in SamFunctionProvider(stacks).get_all():
        binary = ((function.metadata or {}).get("BuildProperties") or {}).get("Binary")
        if binary:
            found[binary] = function
    return stacks, found


STACKS, FUNCTIONS = functions_of_the_template()


def test_the_template_has_every_function():
    assert FUNCTIONS.keys() == {folder.name for folder in (ROOT / "functions").iterdir()}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_starts_with_what_sam_hands_it(given, name):
    runner = LocalLambdaRunner(None, SamFunctionProvider(STACKS), str(ROOT), None, env_vars_values=given)
    variables = {key: str(value) for key, value in runner._make_env_vars(FUNCTIONS[name]).resolve().items()}
    # SAM has credentials of its own.
    ours = {key: value for key, value in given["Parameters"].items() if key.startswith("MFA_")}
    assert {key: variables.get(key) for key in ours} == ours, "SAM drops variables"
    environment = {**os.environ, **variables, **LAMBDA}
    ran = subprocess.run([DEBUG.parent / name], env=environment, capture_output=True, text=True, timeout=20)
    assert "Connect" in ran.stderr, f"{ran.stdout}{ran.stderr}"
