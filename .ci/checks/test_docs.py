"""Shows that every command of the documentation is run, or is marked as one that needs AWS.

A block of shell that calls AWS needs the words "needs AWS", in the head of its page or in its
section. Every other command is run here as it stands, or `RUN_BY` names the file that runs it, and
the text there that shows it. A command within a sentence must name options, steps and tests that are
there.
"""

import functools
import json
import os
import re
import shlex
import signal
import socket
import subprocess

import botocore.session
import pytest
from botocore import xform_name
from kit import DEBUG, ROOT, Program, fail, wait_for
from samcli.commands.build.command import cli as sam_build
from samcli.commands.local.invoke.cli import cli as sam_invoke
from test_administer import ADMIN, shown as shown_by_admin
from test_examples import NPM, PIP, with_packages

FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")]
PAGES = sorted(str(path.relative_to(ROOT)) for path in FILES)
FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.M | re.S)
OTHER_SHELLS = {"bash", "shell", "console", "zsh", "shell-session"}

MARK = re.compile(r"\bneeds? AWS\b", re.I)
CALLS_AWS = re.compile(r"\baws \w|\baws-cdk\b|\bterraform \w|\bscripts/deploy\b|\bcurl .*https://")

OF_EXAMPLES, OF_WATCH = ".ci/checks/test_examples.py", ".ci/checks/test_lambda_watch.py"
ALL_TESTS = (".ci/run", "step_tests() { cargo test --workspace")
RUN_BY = {
    "cargo test --workspace": [ALL_TESTS],
    "INSTA_UPDATE=always cargo test --workspace": [ALL_TESTS],
    "INSTA_UPDATE=always cargo test --workspace --no-fail-fast": [ALL_TESTS],
    "cargo test -p mfa --lib failures": [ALL_TESTS, ("shared/src/domain/failures.rs", "#[test]")],
    "cargo test -p mfa-tests --test it verify::a_code_is_refused_from_the_second_it_expires": [
        ALL_TESTS,
        ("tests/it/verify.rs", "fn a_code_is_refused_from_the_second_it_expires()"),
    ],
    "pip install cargo-lambda": [(".ci/requirements.txt", "cargo-lambda==")],
    "cargo lambda watch --env-file local.env": [(OF_WATCH, "cargo lambda watch --env-file ")],
    "cargo lambda invoke status --data-file events/status.json": [
        (OF_WATCH, 'f"cargo lambda invoke {name} '),
        (OF_WATCH, '"--data-file", f"events/{name}.json"'),
    ],
    "npm install": [(OF_EXAMPLES, 'with_packages("stock-verifiers", "package.json", NPM)')],
    "node verify.mjs http://127.0.0.1:9000 https://api.example.com TOKEN…": [
        (OF_EXAMPLES, '"node", "verify.mjs", issuer, audience, proof'),
    ],
}
# What begins with these words is run below, whatever its options are.
RUN_BELOW = ("bash .ci/run", "cargo run", "git diff", "sam ", "scripts/build")


class Block:
    """A block of shell: its page, its text, and the text before it that holds for it."""

    def __init__(self, page, text, before):
        self.page, self.text = page, text
        self.is_marked = any(MARK.search(part) for part in before)
        self.calls_aws = bool(CALLS_AWS.search(text))
        self.id = f"{page}: {text.splitlines()[0][:50]}"

    def commands(self):
        return re.sub(r" *\\\n *", " ", self.text).splitlines()


def sections(text):
    """The head of a page and the sections around its end, as far as they stand before it."""
    around = []
    for part in re.split(r"^(?=#+ )", text, flags=re.M):
        level = len(re.match("#*", part)[0])
        around = [(other, before) for other, before in around if other < level] + [(level, part)]
    return [part for _, part in around]


def blocks_of(page):
    text, outside, end = (ROOT / page).read_text(), "", 0
    for fence in FENCE.finditer(text):
        # What a block holds is no heading and no mark.
        outside, end = outside + text[end : fence.start()], fence.end()
        indent, kind, body = fence.groups()
        if kind in OTHER_SHELLS:
            fail(f"{page}: write ```sh in place of ```{kind}, so that this check sees the block")
        if kind == "sh":
            yield Block(page, re.sub(f"^{indent}", "", body, flags=re.M), sections(outside))


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
HERE = [block for block in BLOCKS if not block.calls_aws]
COMMANDS = [command for block in HERE for command in block.commands()]
each_block = functools.partial(pytest.mark.parametrize, "block", ids=lambda block: block.id)


def without_reason(words):
    """What is left of a command of `mfa-admin`, whatever the reason is that it gives."""
    return [word for word, before in zip(words, ["", *words]) if before != "--reason"]


# test_administer.py runs these, each with a reason of its own.
RUN_BY_ADMIN = [without_reason(["mfa-admin", *words]) for words, _ in shown_by_admin()]


def starting_with(words):
    return sorted({command for command in COMMANDS if command.startswith(words)})


def test_there_are_blocks_to_check():
    assert len(BLOCKS) > 40 and len(HERE) > 12


@each_block(BLOCKS)
def test_bash_can_read_a_block(block):
    ran = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


@each_block([block for block in BLOCKS if block.calls_aws])
def test_what_calls_aws_is_marked(block):
    assert block.is_marked, f'{block.page}: say "needs AWS" in the head of the page or in the section of\n{block.text}'


@each_block(HERE)
def test_what_needs_no_aws_is_run(block):
    for command in block.commands():
        is_run = command in RUN_BY or command.startswith(RUN_BELOW)
        is_run |= block.text in [text for text, _ in FIRST_CALLS]
        is_run |= any(command in EXAMPLES[name] for name in EXAMPLES)
        is_run |= without_reason(shlex.split(command)) in RUN_BY_ADMIN
        assert is_run, f"{block.page}: nothing runs {command}"


@pytest.mark.parametrize("command", RUN_BY)
def test_what_is_said_to_run_a_command_does(command):
    assert command in COMMANDS, "no page has this command any more"
    for file, text in RUN_BY[command]:
        assert text in (ROOT / file).read_text(), f"{file} lacks {text}"


# What is run here


class Group(Program):
    """A program that starts others: npm, or a shell. They end together."""

    def end(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(10)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def like(shown):
    """A pattern for what a page shows. `…` stands for what differs from run to run."""
    return ".*".join(map(re.escape, shown.strip().split("…")))


def server(command, port, folder):
    """What `cargo run` starts, with the options of a page, at another port, and with its files in
    `folder`. The workspace is built already, and cargo would build this one package anew."""
    options = command.removeprefix("cargo run").removeprefix(" --").replace("9000", str(port))
    options = options.replace("local.json", str(folder / "local.json")) + f" --port {port}"
    if "--services-only" in options and "--env-file" not in options:
        options += f" --env-file {folder}/local.env"
    return Program("docs-server", "bash", "-c", f"exec {DEBUG} {options}", cwd=ROOT)


def test_cargo_run_starts_the_local_server():
    words = ["cargo", "metadata", "--locked", "--no-deps", "--format-version=1"]
    packages = json.loads(subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout)["packages"]
    assert {package["default_run"] for package in packages} - {None} == {DEBUG.name}


@pytest.mark.parametrize("command", starting_with("cargo run"))
def test_the_local_server_starts(command, tmp_path):
    with server(command, free_port(), tmp_path) as running:
        running.wait_for_line(r"(Serving the MFA bundle at|login tokens )")


def shown_in(page, heading, kind):
    """The blocks of a section, each with the answer that stands below it."""
    section = (ROOT / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```sh\n(.*?)^```\n\n```{kind}\n(.*?)^```$", section, re.M | re.S)


FIRST_CALLS = shown_in("README.md", "First calls", "json")


def test_the_first_calls_are_answered_as_the_readme_shows(tmp_path):
    port, steps = free_port(), FIRST_CALLS
    with server("cargo run", port, tmp_path) as running:
        running.wait_for_line("(Serving)")
        script = "\necho\n".join(command for command, _ in steps).replace(":9000/", f":{port}/")
        ran = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=60)
    answers = ran.stdout.splitlines()
    assert len(answers) == len(steps), ran.stdout + ran.stderr
    for answer, (command, shown) in zip(answers, steps):
        assert json.loads(answer) and re.fullmatch(like(shown), answer), f"{command}{answer}\ninstead of\n{shown}"


# The commands of an example, each for a terminal of its own, and what the last one shows.
EXAMPLES = {
    name: (*commands.splitlines(), shown)
    for name in ("express-nest-client", "cognito-shaped")
    for commands, shown in shown_in(f"examples/{name}/README.md", "Run it", "text")
}
INSTALLED_BY = {"npm install": ("package.json", NPM), "pip install -r requirements.txt": ("requirements.txt", PIP)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_as_its_readme_says(name, tmp_path):
    serve, start, client, shown = EXAMPLES[name]
    # The packages go into a copy of the example, and not into the environment of the checks.
    install, start = start.split(" && ")
    folder = with_packages(name, *INSTALLED_BY[install])
    port, app = free_port(), free_port()
    mfa = f"http://127.0.0.1:{port}"
    variables = {"PORT": str(app), "APP": f"http://127.0.0.1:{app}", "MFA": mfa, "MFA_ISSUER": mfa}
    options = {"cwd": folder, "env": os.environ | variables | {"PYTHONPATH": str(folder / "packages")}}
    with server(serve, port, tmp_path) as running:
        running.wait_for_line("(Serving)")
        with Group("docs-example", "bash", "-c", start, start_new_session=True, **options):
            wait_for("the application", lambda: listens(app))
            ran = subprocess.run(["bash", "-c", client], capture_output=True, text=True, timeout=60, **options)
    # npm first shows what it runs.
    answer = "\n".join(line for line in ran.stdout.splitlines() if line and not line.startswith("> "))
    assert re.fullmatch(like(shown), answer), f"{answer}\n{ran.stderr}\ninstead of\n{shown}"


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@functools.cache
def steps_of_the_check():
    shown = subprocess.run(["bash", ".ci/run", "--list"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {line.split()[0] for line in shown.stdout.splitlines()}


@pytest.mark.parametrize("command", starting_with("bash .ci/run"))
def test_the_check_has_the_steps_that_are_named(command):
    """Whatever it names, this test is a part of it."""
    assert set(command.split()[2:]) - {"--list"} <= steps_of_the_check()


def test_git_shows_what_changed():
    subprocess.run(["git", "diff", "--stat"], cwd=ROOT, capture_output=True, check=True)


@pytest.mark.parametrize("command", starting_with("scripts/build"))
def test_the_build_takes_the_options(command):
    ran = subprocess.run([*command.split(), "--print-template"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0 and "CodeUri: status.zip" in ran.stdout, ran.stderr
    # The step `release` builds all of it.
    assert '"scripts/build", "--architecture=all"' in (ROOT / ".ci" / "release.py").read_text()


@pytest.mark.parametrize("command", starting_with("sam "))
def test_sam_takes_the_options(command):
    """The step `sam` does the rest, but for the container, which needs Docker."""
    known = {"sam build": sam_build, "sam local invoke": sam_invoke}
    [program] = [name for name in known if command.startswith(f"{name} ")]
    options = {option for parameter in known[program].params for option in parameter.opts}
    words = command.removeprefix(program).split()
    assert {word for word in words if word.startswith("--")} <= options
    assert re.search(rf"^  {words[0]}:$", (ROOT / "template.yaml").read_text(), re.M)


def test_cloudfront_gets_a_certificate_that_its_authority_signed(tmp_path):
    """What needs no AWS of a block that does."""
    [block] = [block for block in BLOCKS if "-keyout ca.key" in block.text]
    subprocess.run(["bash", "-ec", f"aws() {{ :; }}\n{block.text}"], cwd=tmp_path, capture_output=True, check=True)
    verify = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", "ca.pem", "client.pem"]
    ran = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True)
    assert ran.stdout == "client.pem: OK\n", ran.stderr


# Commands within sentences


def in_sentences():
    for page in PAGES:
        outside = FENCE.sub("", (ROOT / page).read_text())
        for span in re.findall(r"`([^`]+)`", outside):
            yield page, re.sub(r"\s+", " ", span)


@functools.cache
def help_of(*command):
    ran = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"(?:--)?\b[a-z]+(?:-[a-z]+)*", ran.stdout))


def unknown_to(program, words):
    """The options of a command that its program does not have, and the subcommand."""
    named = {word for word in words if re.fullmatch(r"--[a-z-]+", word)}
    known = help_of(program)
    if words and not words[0].startswith("-") and words[0] in known:
        known = known | help_of(program, words[0])
    return named.union(words[:1]) - known


def unknown_in(command):
    """What the repository does not have of a command, if it is one of the project's own."""
    words = command.split()
    match words:
        case ["cargo", "run", "--", *_]:
            return unknown_to(DEBUG, words[3:])
        case ["mfa-admin", *options]:
            return unknown_to(ADMIN, options)
        case ["scripts/build" | "scripts/deploy" as program, *options]:
            return unknown_to(program, options)
        case ["bash", ".ci/run", *steps] | ["just", *steps]:
            return set(steps) - steps_of_the_check()
        case ["cargo", "test", *_, "it", module] | ["cargo", "test", *_, "it", module, "--", "--nocapture"]:
            return set() if (ROOT / "tests" / "it" / f"{module}.rs").exists() else {module}
    return set()


def test_commands_in_sentences_name_what_is_there():
    seen = {(page, command) for page, command in in_sentences() if " " in command}
    assert sum(command.startswith(("cargo ", "bash ", "scripts/")) for _, command in seen) > 30
    for page, command in sorted(seen):
        unknown = unknown_in(command)
        assert not unknown, f"{page}: {command}: there is no {unknown}"


# What needs AWS

EVERYWHERE = {"--output", "--query", "--region"}
# Commands that the AWS CLI has in addition to those of the services.
PACKAGE = {"--template-file", "--s3-bucket", "--output-template-file"}
DEPLOY = {"--template-file", "--s3-bucket", "--stack-name", "--capabilities", "--parameter-overrides"}
OF_THE_CLI = {
    "cloudformation deploy": DEPLOY,
    "cloudformation package": PACKAGE,
    "cloudformation wait": {"--stack-name"},
    "dynamodb wait": {"--table-name"},
    "s3 cp": set(),
    "s3 ls": set(),
    "s3 rb": {"--force"},
}


def calls_of_aws(text):
    """Service, operation and what follows, for each call. Quoted texts are values."""
    text = re.sub(r"\\\n", " ", text)
    text = re.sub(r"'[^']*'", "VALUE", re.sub(r'"(?:\\.|[^"\\$]|\$[^(])*"', "VALUE", text))
    return re.findall(r"\baws ([a-z0-9]+) ([a-z0-9-]+)([^|;&\n]*)", text)


@functools.cache
def options_of(service, operation):
    if f"{service} {operation}" in OF_THE_CLI:
        return OF_THE_CLI[f"{service} {operation}"]
    model = botocore.session.get_session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"there is no aws {service} {operation}"
    members = model.operation_model(names[operation]).input_shape.members
    options = {f"--{xform_name(name, '-')}" for name in members}
    return options | {option.replace("--", "--no-", 1) for option in options}


def test_the_aws_cli_has_the_commands_and_options():
    calls = [(block, *call) for block in BLOCKS for call in calls_of_aws(block.text)]
    assert len(calls) > 30
    for block, service, operation, rest in calls:
        if service == "configure":
            continue  # It changes a file, and calls no service.
        used = set(re.findall(r"(?<=\s)--[a-z0-9-]+", rest))
        unknown = used - options_of(service, operation) - EVERYWHERE
        assert not unknown, f"{block.page}: aws {service} {operation} has no {unknown}"


# The figures of docs/methods.md

FIGURES = {
    "FAILURES_BEFORE_LOCK": ["After {} in a row, codes are locked"],
    "FIRST_LOCK": ["codes are locked for {} minutes"],
    "FAILURES_BEFORE_OFF": ["after {} wrong ones"],
    "PROOF_FRESH_FOR": ["at most {} minutes old"],
    "MAX_DEVICES": ["| Authenticators of a user | {} |"],
    "SETUP_LIFETIME": ["| Time to confirm a set-up | {} minutes |"],
    "MAX_OPEN_SETUPS": ["| Set-ups that may be open at once | {}; a fourth"],
    "SEND_SPACING": ["| Time between two codes to one user | {} seconds, then"],
    "SENDS_PER_SHARE": ["| Codes to one user | {} an hour, and {} more"],
    "SENDS_PER_DESTINATION": ["| Codes to one address | {} an hour"],
    "SMS_PER_SOURCE": ["/64 | {} an hour |"],
    "SMS_PER_SITE": ["/48 | {} an hour |"],
    "RECOVERY_CODES": ["| Codes in a set | {}, each"],
    "RECOVERY_SPACING": ["at least {} seconds apart"],
    "WRONG_RECOVERY_CODES": ["| Wrong recovery codes | {} an hour"],
    "TRUST_LIFETIME": ["`verify-trusted-device` | {} days |", "| Lifetime | {} days."],
    "MAX_TRUSTED_DEVICES": ["| Trusted devices of a user | {}; the oldest"],
    "SESSIONS_OF_TRUSTED_DEVICE": ["| Sessions that a device opened and that go on | {} |"],
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_the_methods_is_that_of_the_rules(name):
    rules = (ROOT / "shared/src/domain/policy.rs").read_text()
    page = re.sub(r"\s+", " ", (ROOT / "docs/methods.md").read_text())
    value = re.search(rf"const {name}: .*?= \D*?(?:from_\w+\()?(\d+)", rules)[1]
    for text in FIGURES[name]:
        assert text.replace("{}", value) in page
