#!/usr/bin/env python3
"""Changes one rule at a time in a copy of the sources, and shows which test finds each mutation.

    python3 .ci/mutations.py [NAME…]
    python3 .ci/mutations.py --check    only checks that each mutation still fits the sources

The first form takes a build and a run of the tests for each mutation, so CI leaves it out. The copy
is a git worktree of HEAD in target/mutations, kept for the next time. First, every test must pass
there without a mutation. The model plays the same sequences as in `cargo test`.
docs/mutation-tests.md has the last result.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPY = Path(os.environ.get("MFA_MUTATIONS", ROOT / "target/mutations"))

DOMAIN = "shared/src/domain"

# name: (file, the text in it, the text that replaces it)
MUTATIONS = {
    "the version condition is skipped": (
        "shared/src/storage/ledger.rs",
        'put.condition_expression("v = :decided_from")',
        'put.condition_expression("attribute_exists(pk) OR v = :decided_from")',
    ),
    "a wrong code is not counted": (
        f"{DOMAIN}/verify.rs",
        "    ledger.failures.wrong(tag, cx.now);\n    Decision::commit(ledger, Err(refusal))",
        "    let _ = tag;\n    Decision::commit(ledger, Err(refusal))",
    ),
    "a step is compared by != instead of <": (f"{DOMAIN}/totp.rs", "|last| step > last)", "|last| step != last)"),
    "a set-up counts that the ledger no longer names": (
        f"{DOMAIN}/snapshot.rs",
        "        let open = self.ledger.setups.iter().filter(move |setup| setup.until > now);\n"
        "        open.map(|setup| setup.id).filter(|id| self.holds(ItemKey::Device(*id)))",
        "        self.devices.iter().filter(move |_| now > Timestamp::default()).map(|record| record.id)",
    ),
    "a commit is not recognised by its id": (
        f"{DOMAIN}/ledger.rs",
        "self.commits.contains(&commit)",
        "self.commits.is_empty() && self.commits.contains(&commit)",
    ),
    "a used e-mail code stays outstanding": (
        f"{DOMAIN}/verify.rs",
        "    ledger.codes.retain(|sent| sent.login != login);\n    toggle::right_code",
        "    toggle::right_code",
    ),
    "a recovery code is not marked as used": (f"{DOMAIN}/recovery.rs", "set.used_mask |= 1 << place;", "set.used_mask |= 0 << place;"),
    "a lock does not stop a right code": (
        f"{DOMAIN}/verify.rs",
        "if let Some(until) = snapshot.ledger.failures.lock_end(cx.now) {",
        "if let Some(until) = snapshot.ledger.failures.lock_end(cx.now).filter(|_| snapshot.ledger.version == 0) {",
    ),
    "the gate takes a proof of any epoch": (
        f"{DOMAIN}/gate.rs",
        "proof.security_epoch == ledger.security_epoch",
        "proof.security_epoch <= ledger.security_epoch",
    ),
    "the gate takes a proof of any age": (
        f"{DOMAIN}/gate.rs",
        "cx.now.since(proof.auth_time) <= Policy::PROOF_FRESH_FOR",
        "cx.now.since(proof.auth_time) >= std::time::Duration::ZERO",
    ),
    "a planted device goes on when MFA is switched on": (
        f"{DOMAIN}/toggle.rs",
        "ledger.devices.retain(|device| device.confirmed_by.is_none_or(|login| login == cx.caller.login));",
        "",
    ),
    "a used recovery code begins no new epoch": (
        f"{DOMAIN}/recovery.rs",
        "    ledger.failures.unlock(cx.now);\n    ledger.begin_epoch();",
        "    ledger.failures.unlock(cx.now);",
    ),
    "trust of any epoch counts": (
        f"{DOMAIN}/trust.rs",
        "snapshot.trusted.iter().filter(move |record| offered && record.security_epoch == epoch && record.until > now)",
        "snapshot.trusted.iter().filter(move |record| offered && record.security_epoch <= epoch && record.until > now)",
    ),
    "a used refresh token repeats for ever": (
        f"{DOMAIN}/session.rs",
        "now.since(session.rotated_at) <= Policy::REFRESH_GRACE",
        "now.since(session.rotated_at) >= std::time::Duration::ZERO",
    ),
    "a refresh token is taken in any epoch": (f"{DOMAIN}/session.rs", "session.security_epoch != ledger.security_epoch", "session.security_epoch > ledger.security_epoch"),
    "the last method may be removed": (
        f"{DOMAIN}/remove_device.rs",
        "if had_device && is_on && gate::lasting_methods(&after, cx).is_empty() {",
        "if had_device && is_on && gate::lasting_methods(&after, cx).len() > 9 {",
    ),
}

# The model runs first. The other tests must find what it does not find.
TESTS = [
    ("the model", ["cargo", "test", "-q", "-p", "mfa-tests", "--test", "it", "--", "model"]),
    ("the rules' own tests", ["cargo", "test", "-q", "-p", "mfa", "--lib"]),
    ("the integration tests", ["cargo", "test", "-q", "-p", "mfa-tests", "--test", "it"]),
]


def run(command):
    return subprocess.run(command, cwd=COPY, capture_output=True, text=True, env=os.environ | {"RUST_BACKTRACE": "0"})


def finder():
    """The first tests that fail in the copy, and how they fail. None if everything passes."""
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


def check():
    """Fails if a mutation no longer fits the sources. It would test nothing."""
    for name, (file, old, _) in MUTATIONS.items():
        if (count := (ROOT / file).read_text().count(old)) != 1:
            sys.exit(f"{name}: {file} has this text {count} times instead of once: {old}")
    print(f"  all {len(MUTATIONS)} mutations fit the sources")


def main():
    if sys.argv[1:] == ["--check"]:
        return check()
    check()
    wanted = sys.argv[1:] or MUTATIONS
    git = ["git", "worktree", "add", "--detach", COPY] if not COPY.exists() else ["git", "-C", COPY, "checkout", "--detach"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run([*git, head], cwd=ROOT, check=True, capture_output=True)
    if found := finder():
        sys.exit(f"{found} fails without a mutation")
    missed = 0
    for name in wanted:
        file, old, new = MUTATIONS[name]
        path = COPY / file
        text = path.read_text()
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
