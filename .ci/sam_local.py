#!/usr/bin/env python3
"""Shows that `sam local invoke --env-vars` hands each function an environment that it starts with. Without Docker the container
is left out: SAM's own code makes the environment from template.yaml and the file that `--services-only` wrote, and each
function's debug binary must get with it as far as Lambda's Runtime API, which is not there.
"""

import json
import os
import subprocess

from bundle import DEBUG, ROOT, SCRATCH, Program, expect, fail
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


def main():
    ENV_FILE.unlink(missing_ok=True)
    with Program("services-for-sam", DEBUG, "--services-only", "--port", "0", "--env-file", ENV_FILE) as services:
        services.wait_for_line(r"(sam local invoke)")
        given = json.loads(ENV_FILE.read_text())
        stacks, _ = SamLocalStackProvider.get_stacks(str(ROOT / "template.yaml"))
        functions = SamFunctionProvider(stacks)
        runner = LocalLambdaRunner(None, functions, str(ROOT), None, env_vars_values=given)
        started = 0
        for function in functions.get_all():
            binary = DEBUG.parent / ((function.metadata or {}).get("BuildProperties") or {}).get("Binary", "none")
            if not binary.exists():
                continue  # the example is no binary of ours
            variables = runner._make_env_vars(function).resolve()
            # SAM has credentials of its own.
            lost = [name for name, value in given["Parameters"].items() if name.startswith("MFA_") and variables.get(name) != value]
            expect(f"{function.name}, variables that SAM drops", lost, [])
            variables = {name: str(value) for name, value in variables.items()}
            ran = subprocess.run([binary], env={**os.environ, **variables, **LAMBDA}, capture_output=True, text=True, timeout=20)
            if "Connect" not in ran.stderr:
                fail(f"{function.name} ended with: {ran.stdout}{ran.stderr}")
            started += 1
        expect("functions that start", started, len(list((ROOT / "functions").iterdir())))


if __name__ == "__main__":
    main()
