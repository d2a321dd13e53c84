"""Runs the commands of docs/administer.md, and compares what they print with what the page shows.

Ids, times and numbers differ from run to run. `…` on the page stands for lines that it leaves out.
It also shows what `mfa-admin` says to wrong input, and where a command ends early. Nothing waits here, but
with MFA_CHECKS_WAIT=1, `erase` waits its half a minute.
"""

import base64
import contextlib
import json
import os
import re
import secrets
import shlex
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from kit import DEBUG, ROOT, SCRATCH, Client, Local, Services, totp, turn_mfa_on, wait_for

ADMIN = DEBUG.with_name("mfa-admin")
PAGE = "docs/administer.md"
TABLE, RESTORED = "mfa-local", "mfa-restored"
# What these do concerns all users, so they ask first.
ASK = {"import", "raise-epochs", "reseal", "restore-from"}
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
WAITS = os.environ.get("MFA_CHECKS_WAIT")
FIRST, SECOND = (f"{key}:{base64.b64encode(os.urandom(32)).decode()}" for key in ("k1", "k2"))


def command_line(words, url):
    return [ADMIN, *words, f"--local={url}", *(["--yes"] if ASK.intersection(words) else [])]


def admin(words, url, folder):
    ran = subprocess.run(command_line(words, url), cwd=folder, capture_output=True, text=True, timeout=60)
    assert "panicked" not in ran.stderr, ran.stderr
    return ran


class Bundle(Local):
    """The bundle with these sealing keys. `seals` is the id of the one that seals."""

    def __init__(self, dynamodb, keys, seals):
        settings = [f"MFA_SEALING_KEYS={','.join(keys)}", f"MFA_SEALING_KEY={seals}"]
        options = [word for setting in settings for word in ("--set", setting)]
        super().__init__(f"administer-{len(keys)}-{seals}", "--dynamodb", dynamodb, *options)


class Browser(Client):
    """A client that names itself."""

    def call(self, *request, **headers):
        return super().call(*request, **{"user-agent": FIREFOX}, **headers)


class World:
    """Users of one table."""

    def __init__(self, dynamodb, url):
        credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        client = boto3.resource("dynamodb", endpoint_url=dynamodb, region_name="us-east-1", **credentials)
        self.create_table, self.table, self.restored = client.create_table, client.Table(TABLE), client.Table(RESTORED)
        self.url, self.mfa = url, Browser(url)

    def begin(self):
        """Enrols the users of the page, and makes a backup."""
        for user in ("alice", "bob", "carol", "dave", "erin", "frank"):
            self.enrol(user)
        self.back_up()
        self.lock("alice")
        self.leave_an_authenticator_of_nobody()

    def back_up(self):
        keys = {"KeySchema": self.table.key_schema, "AttributeDefinitions": self.table.attribute_definitions}
        with contextlib.suppress(self.table.meta.client.exceptions.ResourceInUseException):
            self.create_table(TableName=RESTORED, BillingMode="PAY_PER_REQUEST", **keys)
        for item in self.items():
            self.restored.put_item(Item=item)

    def leave_an_authenticator_of_nobody(self):
        """As a deletion by hand leaves it."""
        [device, *_] = self.items("MFA#DEVICE#")
        self.nobody = f"USER#{secrets.token_urlsafe(15)}AA"
        self.table.put_item(Item=device | {"pk": self.nobody})

    def enrol(self, user):
        """MFA with an authenticator, recovery codes and a trusted device."""
        now = time.time()
        token = self.sign_in(user)
        secret = turn_mfa_on(self.mfa, token, now)
        self.mfa.ok("POST", "/auth/mfa/generate-recovery-code", {}, token)
        # The code of the next step is already accepted.
        code = {"method": "totp", "otp": totp(secret, now + 30), "trustDevice": True}
        self.mfa.ok("POST", "/auth/mfa/verify", code, token)

    def sign_in(self, user):
        return self.mfa.sign_in(sub=user, email=f"{user}@example.com")

    def lock(self, user):
        token = self.sign_in(user)
        codes = [{"method": "totp", "otp": f"00000{digit}"} for digit in range(6)]
        [*_, (_, last)] = [self.mfa.call("POST", "/auth/mfa/verify", code, token) for code in codes]
        assert last["code"] == "ACCOUNT_LOCKED", last

    def items(self, kind="", pk=""):
        found = self.table.scan(ConsistentRead=True)["Items"]
        return [item for item in found if item["sk"].startswith(kind) and item["pk"].startswith(pk)]

    def delete(self, items):
        for item in items:
            self.table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})

    def key_of(self, user, folder):
        shown = admin(["show", "--user", user, "--json"], self.url, folder)
        return f"USER#{json.loads(shown.stdout)['key']}"

    def before(self, command, folder):
        """What happens between the commands of the page."""
        match command:
            case "rotate-keys":
                self.delete(self.items(pk=self.nobody))
            case "import":
                (folder / "users.jsonl").write_text("".join(f"{json.dumps(user)}\n" for user in IMPORTED))
            case "restore-from":
                self.delete(self.items(pk=self.key_of("frank", folder)))
                (folder / "erased.txt").write_text("dave\n")


IMPORTED = [
    {"user": "grace", "authenticators": [{"secret": "J5NGK4D3Q2IZZJ5S"}], "recoveryCodes": 8},
    {"user": "heidi", "authenticators": [{"secret": "2IZZJ5SJ5NGK4D3Q"}]},
]


def shown():
    """The commands of the page, each with what the page shows below it."""
    page = (ROOT / PAGE).read_text()
    pattern = r"^( *)```sh\n *mfa-admin (.*?)^\1```\n(?:\n\1```(?:text|json)\n(.*?)^\1```$)?"
    for indent, command, output in re.findall(pattern, page, re.M | re.S):
        yield shlex.split(command.replace("\\\n", " ")), re.sub(f"^{indent}", "", output, flags=re.M)


def shape(text):
    """A text without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"(?<![\w-])[\w-]{22}(?![\w-])", "KEY", text)
    text = re.sub(r'"[\w-]{11}"', '"LOGIN"', text)
    text = re.sub(r"\b\d+(,\d{3})*\b", "N", text)
    return re.sub(r" +", " ", text).strip()


def is_like(seen, page):
    parts = [re.escape(shape(part)) for part in page.split("…\n")]
    return re.fullmatch(r"\s*.*?".join(parts), shape(seen), re.S)


def stands_on_the_page(text):
    """Whether the page shows these lines one below the other."""
    return f"\n{shape(text)}\n" in f"\n{shape((ROOT / PAGE).read_text())}\n"


def progress_of(command, parts=("new",), users=0, **more):
    """What a file says about how far a command is."""
    more = {"began": 1796056526814, "counts": {}, "findings": [], "failed": []} | more
    return json.dumps({"of": command, "parts": list(parts), "users": users, **more})


def without_units(text):
    return re.sub(r" \d+ read and \d+ write units\.", "", text)


@pytest.fixture(scope="module")
def dynamodb():
    with Services("administer-table", SCRATCH / "administer.env") as services:
        yield re.search(r'MFA_DYNAMODB_ENDPOINT="(.*)"', services.env_file.read_text())[1]


@pytest.fixture(scope="module")
def url(dynamodb):
    with Bundle(dynamodb, [FIRST], "k1") as bundle:
        yield bundle.url


def test_each_command_prints_what_the_page_shows(dynamodb, url, tmp_path):
    world = World(dynamodb, url)
    world.begin()
    both, done = [FIRST, SECOND], []
    with Bundle(dynamodb, both, "k1") as announced, Bundle(dynamodb, both, "k2") as sealing:
        # A deployment lies between any two calls of rotate-keys.
        deployments = iter([url, announced.url, sealing.url, sealing.url])
        for words, output in shown():
            name = words[0]
            if name == "rotate-keys":
                url = next(deployments)
            if name not in done[-1:]:
                world.before(name, tmp_path)
            done.append(name)
            does_not_wait = name == "erase" and not WAITS
            words += ["--no-wait"] if does_not_wait else []
            ran, command = admin(words, url, tmp_path), f"mfa-admin {shlex.join(words)}"
            print(f"\n$ {command}\n{ran.stdout}{ran.stderr}", end="")
            assert ran.returncode == 0, command
            is_shown = stands_on_the_page(ran.stdout) if does_not_wait else output and is_like(ran.stdout, output)
            assert is_shown, f"{command}:\n{ran.stdout}instead of\n{output}"
    subcommands = re.findall(r"^  ([a-z-]+)  ", admin(["--help"], url, tmp_path).stdout, re.M)
    assert {*done, "help"} == {*subcommands}, "the page shows each command"


def refused(words, url, folder):
    ran = admin(words, url, folder)
    assert (ran.returncode, ran.stdout) == (1, ""), ran
    assert ran.stderr.count("\n") == 1, "one sentence"
    return ran.stderr


A_CHANGE = ["unlock", "--user", "alice"]
OF_ALL = ["check", "raise-epochs", "reseal", "rotate-keys", "restore-from"]
WRONG = {
    "an unknown user": (["show", "--user", "nobody"], "no such user. Is it the id in the tokens"),
    "a user without a name": (["show", "--user", ""], "Set --user to the one in the application's tokens"),
    "an unknown login": (["show", "--user", "alice", "--login", "staff"], "Leave --login out"),
    "no reason": (A_CHANGE, "Set --reason"),
    "an empty reason": ([*A_CHANGE, "--reason", "  "], "Set --reason"),
    "a long reason": ([*A_CHANGE, "--reason", "x" * 201], "at most 200 characters. Set --reason"),
    "the progress of another command": (["check", "--progress", "other.json"], "Name another file with --progress"),
    "the progress of other options": (
        ["raise-epochs", "--reason", "x", "--dry-run", "--resume", "--progress", "other.json"],
        "says how far `mfa: raise-epochs` is. Name another file with --progress",
    ),
    "no progress to go on from": (
        ["check", "--resume"],
        "There is no mfa-admin-mfa-check.json to go on from. Leave --resume out.",
    ),
    "too many erased users": (
        ["restore-from", RESTORED, "--erased", "many.txt", "--reason", "lost"],
        "many.txt names more than 50000 users",
    ),
    "another file": (["check", "--progress", "page.txt"], "Name another with --progress"),
    "the table of the stack": (["restore-from", TABLE, "--reason", "lost"], "Name the one that the backup"),
    "a list that is not there": (
        ["restore-from", RESTORED, "--erased", "no.txt", "--reason", "lost"],
        "no.txt cannot be read",
    ),
    "a table that is not there": (
        ["restore-from", "nosuch", "--reason", "lost"],
        "Its name must begin with that of the stack and -restored.",
    ),
    "a progress that cannot be written": (["check", "--progress", "no/such.json"], "no/such.json cannot be written"),
    "a login for the users of all": (["check", "--login", "staff"], "of all logins. Leave --login out."),
    **{
        f"a login for {name}": ([name, *table, "--reason", "x", "--login", "staff"], "Leave --login out.")
        for name, table in (*((name, []) for name in OF_ALL[:-1]), ("restore-from", [RESTORED]))
    },
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_told_in_one_sentence(what, url, tmp_path):
    (tmp_path / "other.json").write_text(progress_of("mfa: raise-epochs"))
    (tmp_path / "page.txt").write_text("something else")
    (tmp_path / "many.txt").write_text("".join(f"user-{n}\n" for n in range(50_001)))
    words, advice = WRONG[what]
    assert advice in refused(words, url, tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["many.txt", "other.json", "page.txt"], "nothing was begun"


def test_who_is_not_there_is_not_erased_and_that_is_no_failure(url, tmp_path):
    ran = admin(["erase", "--user", "nobody", "--reason", "asked", "--no-wait"], url, tmp_path)
    assert ran.returncode == 0 and stands_on_the_page(ran.stdout.replace("nobody", "dave")), ran


def test_a_problem_is_json_too_if_that_is_wanted(url, tmp_path):
    ran = admin(["show", "--user", "nobody", "--json"], url, tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "no such user" in json.loads(ran.stderr)["error"]


def test_with_several_logins_it_asks_for_one_of_them(dynamodb, url, tmp_path):
    World(dynamodb, url).back_up()
    logins = [{"name": name, "users": name, "MFA_JWT_SECRET": secrets.token_hex(32)} for name in ("customers", "staff")]
    variables = {
        "MFA_JWT_SECRET": "",
        "MFA_LOGINS": json.dumps(logins),
        "MFA_SIGNING_KEY": (ROOT / "local" / "keys" / "ec.pem").read_text(),
    }
    options = [word for name, value in variables.items() for word in ("--set", f"{name}={value}")]
    with Local("administer-logins", "--dynamodb", dynamodb, *options) as bundle:
        for words in ([], ["--login", "nobody"]):
            sentence = refused(["show", "--user", "alice", *words], bundle.url, tmp_path)
            assert "Set --login to one of customers, staff." in sentence
        sentence = refused(["show", "--user", "alice", "--login", "staff"], bundle.url, tmp_path)
        assert "no such user" in sentence
        restore = ["restore-from", RESTORED, "--erased", "erased.txt", "--reason", "lost", "--dry-run"]
        for line in ("alice", "nobody\talice"):
            (tmp_path / "erased.txt").write_text(f"{line}\n")
            assert "Set --login to one of customers, staff." in refused(restore, bundle.url, tmp_path)
        (tmp_path / "erased.txt").write_text("\ufeffstaff\talice \n\n  customers\talice\r\n")
        assert admin(restore, bundle.url, tmp_path).returncode == 0


class Refuses(BaseHTTPRequestHandler):
    """Lambda, as it answers a caller without the permission, or one whose session has ended."""

    error = None

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(403)
        self.send_header("x-amzn-errortype", self.error)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("AccessDeniedException", "You may not invoke mfa-admin. Ask for the permission lambda:InvokeFunction on it."),
        ("ExpiredTokenException", "AWS does not accept your credentials: ExpiredTokenException. Sign in again."),
        ("ResourceNotFoundException", "There is no function mfa-admin in this account and region."),
        ("TooManyThings", "mfa-admin cannot be invoked: TooManyThings"),
    ],
)
def test_what_aws_refuses_is_told_with_what_to_do(error, sentence, tmp_path):
    Refuses.error = error
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = ["unlock", "--user", "alice", "--reason", "x"]
        ran = admin(words, f"http://127.0.0.1:{server.server_address[1]}", tmp_path)
        server.shutdown()
    assert ran.returncode == 1 and sentence in ran.stderr and not ran.stdout, ran.stderr
    assert len(ran.stderr.splitlines()) == 1, ran.stderr


def test_where_nothing_listens_it_says_so(tmp_path):
    sentence = refused(["show", "--user", "alice"], "http://127.0.0.1:9", tmp_path)
    assert "Nothing answers at http://127.0.0.1:9" in sentence and "cargo run" in sentence
    assert "Nothing answers" in refused(["check"], "http://127.0.0.1:9", tmp_path)
    assert not list(tmp_path.iterdir()), "nothing was done, so nothing goes on"


def test_an_option_that_is_there_twice_is_refused_with_the_usage(url, tmp_path):
    ran = admin(["check", "--progress", "a.json", "--progress", "b.json"], url, tmp_path)
    assert ran.returncode == 2 and "cannot be used multiple times" in ran.stderr


def test_without_a_terminal_nothing_that_concerns_all_users_begins_without_yes(url, tmp_path):
    words = [ADMIN, f"--local={url}", "raise-epochs", "--reason", "leak"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ran.returncode == 1 and "it needs --yes" in ran.stderr


def test_a_command_goes_on_where_its_file_says_only_if_it_is_told_to_and_removes_it_at_the_end(url, tmp_path):
    parts = ["done"] * 7 + ["new"]
    finding = {"user": "930qIqe0b0SMtmCGJwW6AA", "item": "MFA#DEVICE#1", "what": "orphaned"}
    progress = progress_of("mfa: check", parts, 7000, counts={"orphaned": 2}, findings=[finding])
    (tmp_path / "mfa-admin-mfa-check.json").write_text(progress)
    assert stands_on_the_page(refused(["check"], url, tmp_path))
    interrupted = admin(["check", "--resume"], "http://127.0.0.1:9", tmp_path)
    assert interrupted.returncode == 1 and stands_on_the_page(interrupted.stderr.splitlines()[-1]), interrupted
    ran = admin(["check", "--resume"], url, tmp_path)
    assert ran.returncode == 0 and "930qIqe0b0SMtmCGJwW6AA MFA#DEVICE#1: orphaned\n" in ran.stdout, "found before"
    users, orphaned = re.fullmatch(r"(?:.*\n)*check: (\d+) users: (?:.*, )?(\d+) orphaned.*\n", ran.stdout).groups()
    assert int(users) >= 7000 and int(orphaned) >= 2
    assert not list(tmp_path.iterdir())


def test_the_same_command_with_resume_goes_on_with_the_users_that_it_failed_for(dynamodb, url, tmp_path):
    world = World(dynamodb, url)
    for user in ("mallory", "niaj"):
        world.enrol(user)
    world.leave_an_authenticator_of_nobody()
    [ledger] = world.items("MFA#LEDGER", world.key_of("mallory", tmp_path))
    world.table.put_item(Item={name: value for name, value in ledger.items() if name != "e"})
    command, file = ["raise-epochs", "--reason", "leak"], tmp_path / "mfa-admin-mfa-raise-epochs.json"
    ran = admin(command, url, tmp_path)
    assert ran.returncode == 1 and stands_on_the_page(ran.stdout + ran.stderr), ran
    seen, left = ran.stdout, json.loads(file.read_text())["failed"]
    assert [failed["user"] for failed in left] == [ledger["pk"].removeprefix("USER#")]

    assert "Go on with it by --resume" in refused(command, url, tmp_path)
    command += ["--resume"]
    again = admin(command, url, tmp_path)
    assert (again.returncode, without_units(again.stdout)) == (1, without_units(seen)), "no other epoch rises twice"

    world.table.put_item(Item=ledger)
    world.delete(world.items(pk=world.nobody))
    ran = admin(command, url, tmp_path)
    assert ran.returncode == 0 and stands_on_the_page(ran.stderr + ran.stdout), ran
    assert not file.exists()


def test_authenticators_that_no_deployed_key_opens_are_named(dynamodb, url, tmp_path):
    world = World(dynamodb, url)
    world.enrol("ivan")
    world.back_up()
    [device] = world.items("MFA#DEVICE#", world.key_of("ivan", tmp_path))
    with Bundle(dynamodb, [SECOND], "k2") as bundle:
        for command in (["restore-from", RESTORED], ["reseal"]):
            ran = admin([*command, "--reason", "lost", "--dry-run"], bundle.url, tmp_path)
            key, item = device["pk"].removeprefix("USER#"), device["sk"].removeprefix("MFA#DEVICE#")
            [line] = [line for line in ran.stdout.splitlines() if line.startswith(f"{key} device {item}: ")]
            assert ran.returncode == 0 and stands_on_the_page(line)
        ran = admin(["rotate-keys"], bundle.url, tmp_path)
        assert "Items are sealed with k1, which is not deployed" in ran.stdout


@pytest.mark.skipif(not WAITS, reason="erase waits for half a minute: MFA_CHECKS_WAIT=1")
def test_a_user_who_comes_back_while_erase_waits_is_told(dynamodb, url, tmp_path):
    world = World(dynamodb, url)
    world.enrol("judy")
    erase = command_line(["erase", "--user", "judy", "--reason", "account closed"], url)
    with subprocess.Popen(erase, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as erasing:
        wait_for("the first pass", lambda: admin(["show", "--user", "judy"], url, tmp_path).returncode == 1)
        world.enrol("judy")
        printed, told = erasing.communicate(timeout=60)
    assert (erasing.returncode, printed) == (1, "")
    assert stands_on_the_page(told.replace("judy", "dave")), told


def test_a_wrong_row_of_an_import_is_named_and_the_others_come(url, tmp_path):
    rows = [*IMPORTED, {"user": "ivan", "authenticators": [{"secrt": "J5NGK4D3Q2IZZJ5S"}]}]
    rows = [row | {"user": f"{row['user']}-2"} for row in rows]
    (tmp_path / "users.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    command = ["import", "users.jsonl", "--reason", "Move"]
    ran = admin(command, url, tmp_path)
    assert ran.returncode == 1 and stands_on_the_page(ran.stderr), ran
    assert without_units(ran.stdout).endswith("import: 3 users: 1 had recovery codes, 2 imported, 1 wrong.\n")
    assert stands_on_the_page(ran.stdout.splitlines()[0])
    again = admin(command, url, tmp_path)
    assert "2 known already" in again.stdout and not list(tmp_path.glob("mfa-admin*"))
    for words, sentence in [
        (["import", "users.txt"], "Say with --format"),
        (["import", "users.txt", "--format", "x"], "There is no format x"),
        (["import", "none.csv"], "none.csv cannot be read"),
        (["import", str(tmp_path), "--format", "csv"], "is a folder"),
    ]:
        ran = admin([*words, "--reason", "Move"], url, tmp_path)
        assert ran.returncode == 1 and sentence in ran.stderr, ran.stderr
