#!/usr/bin/env python3
"""Plants bugs one at a time in a copy of the sources, and shows which test finds each.

    python3 .ci/planted.py [NAME…]

It is not a part of `.ci/run`: each bug is a build and a run of the tests. The copy is a git worktree of HEAD in
target/planted, kept for the next time. Without a bug every test must pass there first. The model plays the same sequences
as in `cargo test`. docs/planted-bugs.md has what it found last.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPY = Path(os.environ.get("MFA_PLANTED", ROOT / "target/planted"))

DOMAIN = "shared/src/domain"

# name: (file, what stands there, what is planted)
BUGS = {
    "the version condition is skipped": (
        "shared/src/storage/ledger.rs",
        'put.condition_expression("version = :decided_from")',
        'put.condition_expression("attribute_exists(pk) OR version = :decided_from")',
    ),
    "a wrong code is not counted": (
        f"{DOMAIN}/verify.rs",
        "    ledger.failures.wrong(tag, cx.now);\n    Decision::commit(ledger, Err(refusal))",
        "    let _ = tag;\n    Decision::commit(ledger, Err(refusal))",
    ),
    "a step is compared by != instead of <": (f"{DOMAIN}/totp.rs", "|last| step > last)", "|last| step != last)"),
    "a set-up counts that the ledger does not name any more": (
        f"{DOMAIN}/snapshot.rs",
        "self.ledger.setups.iter().filter(move |setup| setup.until > now).filter_map(|setup| self.device(setup.id))",
        "self.devices.iter().filter(move |_| now > Timestamp::default())",
    ),
    "a commit is not recognised by its id": (
        f"{DOMAIN}/ledger.rs",
        "self.commits.contains(&commit)",
        "self.commits.is_empty() && self.commits.contains(&commit)",
    ),
    "a used e-mail code stays outstanding": (
        f"{DOMAIN}/verify.rs",
        "    ledger.codes.retain(|sent| sent.login != login);\n    switch::right_code",
        "    switch::right_code",
    ),
    "a recovery code is not marked as used": (f"{DOMAIN}/recovery.rs", "set.used |= 1 << place;", "set.used |= 0 << place;"),
    "a lock does not stop a right code": (
        f"{DOMAIN}/verify.rs",
        "if let Some(until) = snapshot.ledger.failures.locked_until(cx.now) {",
        "if let Some(until) = snapshot.ledger.failures.locked_until(cx.now).filter(|_| snapshot.ledger.version == 0) {",
    ),
    "the gate takes a proof of any epoch": (
        f"{DOMAIN}/gate.rs",
        "proof.epoch == ledger.epoch && cx.now.since",
        "proof.epoch <= ledger.epoch && cx.now.since",
    ),
    "the gate takes a proof of any age": (
        f"{DOMAIN}/gate.rs",
        "cx.now.since(proof.auth_time) <= Policy::PROOF_FRESH_FOR",
        "cx.now.since(proof.auth_time) >= std::time::Duration::ZERO",
    ),
    "a planted device goes on when MFA is switched on": (
        f"{DOMAIN}/switch.rs",
        "ledger.devices.retain(|device| device.by.is_none_or(|login| login == cx.caller.login));",
        "",
    ),
    "a used recovery code begins no new epoch": (
        f"{DOMAIN}/recovery.rs",
        "    ledger.failures.unlock(cx.now);\n    ledger.epoch = ledger.epoch.saturating_add(1);",
        "    ledger.failures.unlock(cx.now);",
    ),
    "trust of any epoch counts": (
        f"{DOMAIN}/trust.rs",
        "snapshot.trusted.iter().filter(move |record| offered && record.epoch == epoch && record.until > now)",
        "snapshot.trusted.iter().filter(move |record| offered && record.epoch <= epoch && record.until > now)",
    ),
    "a used refresh token repeats for ever": (
        f"{DOMAIN}/session.rs",
        "now.since(session.rotated) <= Policy::REFRESH_GRACE",
        "now.since(session.rotated) >= std::time::Duration::ZERO",
    ),
    "a refresh token is taken in any epoch": (f"{DOMAIN}/session.rs", "session.epoch != ledger.epoch", "session.epoch > ledger.epoch"),
    "the last method may be removed": (
        f"{DOMAIN}/removal.rs",
        "if had_device && is_on && gate::lasting_methods(&after, cx).is_empty() {",
        "if had_device && is_on && gate::lasting_methods(&after, cx).len() > 9 {",
    ),
}

# The model first; what it does not find, the other tests must.
TESTS = [
    ("the model", ["cargo", "test", "-q", "-p", "mfa-tests", "--test", "it", "--", "model"]),
    ("the rules' own tests", ["cargo", "test", "-q", "-p", "mfa", "--lib"]),
    ("the integration tests", ["cargo", "test", "-q", "-p", "mfa-tests", "--test", "it"]),
]


def run(command):
    return subprocess.run(command, cwd=COPY, capture_output=True, text=True, env=os.environ | {"RUST_BACKTRACE": "0"})


def finder():
    """What fails in the copy as it is, and how; nothing where all passes."""
    for name, command in TESTS:
        ran = run(command)
        output = ran.stdout + ran.stderr
        if ran.returncode and "could not compile" in output:
            sys.exit(output[-3000:])
        if ran.returncode:
            failed = sorted(set(re.findall(r"^    ([a-z_:]+)$", output, re.M)))
            said = re.search(r"panicked at [^\n]*\n(?:assertion[^\n]*failed: )?([^\n]{0,90})", output)
            return name, ", ".join(failed[:3]), said.group(1) if said else ""
    return None


def main():
    wanted = sys.argv[1:] or BUGS
    git = ["git", "worktree", "add", "--detach", COPY] if not COPY.exists() else ["git", "-C", COPY, "checkout", "--detach"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run([*git, head], cwd=ROOT, check=True, capture_output=True)
    if found := finder():
        sys.exit(f"{found} fails without a bug")
    missed = 0
    for name in wanted:
        file, old, new = BUGS[name]
        path = COPY / file
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"{name}: {file} holds {text.count(old)} times: {old}")
        path.write_text(text.replace(old, new))
        try:
            found = finder()
        finally:
            path.write_text(text)
        missed += found is None
        print(f"| {name} | `{file}` | " + (f"{found[0]}: `{found[1]}` | {found[2]} |" if found else "NOTHING | |"), flush=True)
    sys.exit(f"{missed} were not found" if missed else 0)


if __name__ == "__main__":
    main()
