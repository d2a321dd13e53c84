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
        '.condition_expression("v = :decided_from")',
        '.condition_expression("attribute_exists(pk) OR v = :decided_from")',
    ),
    "a wrong code is not counted": (
        f"{DOMAIN}/verify.rs",
        "    ledger.failures.wrong(tag, weight, cx.now);\n    let refusal",
        "    let _ = tag;\n    let refusal",
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
        "    ledger.codes.retain(|sent| sent.login != login);\n",
        "",
    ),
    "a challenge of a passkey is spent to the beginning of its second": (
        f"{DOMAIN}/passkey.rs",
        "made.max(cx.now).rounded_up()",
        "made.max(cx.now).whole_seconds()",
    ),
    "a challenge of a passkey counts in every epoch": (
        f"{DOMAIN}/passkey.rs",
        "|epoch| snapshot.is_of_epoch(epoch))",
        "|epoch| snapshot.is_of_epoch(epoch) || snapshot.stored)",
    ),
    "the counter of a passkey may stay as it is": (
        f"{DOMAIN}/verify_passkey.rs",
        "answer.counter <= known.counter",
        "answer.counter < known.counter",
    ),
    "a passkey passes for one that another login planted": (
        f"{DOMAIN}/passkey.rs",
        "filter(|passkey| proven || !passkey.inactive)",
        "filter(|passkey| proven || !passkey.inactive || passkey.used)",
    ),
    "a recovery code is not marked as used": (f"{DOMAIN}/recovery.rs", "set.used_mask |= 1 << place;", "set.used_mask |= 0 << place;"),
    "a lock does not stop a right code": (
        f"{DOMAIN}/verify.rs",
        "if let Some(locked) = snapshot.ledger.failures.refusal(cx.now) {",
        "if let Some(locked) = snapshot.ledger.failures.refusal(cx.now).filter(|_| snapshot.ledger.version == 0) {",
    ),
    "the gate takes a proof of any epoch": (
        f"{DOMAIN}/gate.rs",
        "proof.security_epoch == ledger.security_epoch",
        "proof.security_epoch <= ledger.security_epoch",
    ),
    "the gate takes a proof of any age": (
        f"{DOMAIN}/gate.rs",
        "proof.auth_time.plus(Policy::PROOF_FRESH_FOR)",
        "proof.auth_time.plus(Policy::PROOF_FRESH_FOR * 9999)",
    ),
    "a planted device goes on when MFA is switched on": (
        f"{DOMAIN}/toggle.rs",
        "device.inactive = !cx.is_trustworthy(device.confirmed_by);",
        "device.inactive &= !cx.is_trustworthy(device.confirmed_by);",
    ),
    "a planted recovery set goes on when MFA is switched on": (
        f"{DOMAIN}/toggle.rs",
        "ledger.recovery.take_if(|set| !cx.is_own(set.made_by))",
        "ledger.recovery.take_if(|set| !cx.is_own(set.made_by) && set.made_by.is_none())",
    ),
    "a planted address goes on when MFA is switched on": (
        f"{DOMAIN}/toggle.rs",
        "|address| !cx.is_trustworthy(address.by));",
        "|address| address.by.is_none());",
    ),
    "an inactive device is judged without a proof": (
        f"{DOMAIN}/verify.rs",
        "|device| proven || !device.inactive)",
        "|device| proven || !device.inactive || only.is_some())",
    ),
    "a code on its way is judged whatever came on since": (
        f"{DOMAIN}/verify.rs",
        "    if !gate::may_receive(snapshot, method, cx) {",
        "    if !gate::may_receive(snapshot, method, cx) && cx.now.as_secs() == 0 {",
    ),
    "a recovery code switches MFA on if it is required": (
        f"{DOMAIN}/recovery.rs",
        "    toggle::remember(&mut ledger, Factor::RecoveryCode, cx);",
        "    toggle::right_code(&mut ledger, snapshot, Factor::RecoveryCode, cx);",
    ),
    "a grace is for everybody of the login": (
        f"{DOMAIN}/caller.rs",
        "session.or(self.caller.provenance)",
        "self.caller.provenance.or(session)",
    ),
    "a session is carried whatever its epoch": (
        "shared/src/storage/session.rs",
        '.condition_expression("epoch = :from")',
        '.condition_expression("epoch = :from OR epoch <> :from")',
    ),
    "the removal of a device ends no session": (
        f"{DOMAIN}/remove_device.rs",
        "    if was_active {",
        "    if was_active && id.0.is_nil() {",
    ),
    "a used recovery code keeps the grace": (
        f"{DOMAIN}/recovery.rs",
        "ledger.begin_epoch(None);\n    ledger.forget_networks_but(cx.network());\n    toggle::remember",
        "ledger.begin_epoch(ledger.grace.clone());\n    toggle::remember",
    ),
    "a late copy of a session overwrites a rotated one": (
        "shared/src/storage/session.rs",
        'OR (generation = :first AND',
        'OR (generation >= :first AND',
    ),
    "the use of a trusted device does not demand that its item exists": (
        "shared/src/storage/trust.rs",
        '.condition_expression("sessions = :seen")',
        '.condition_expression("sessions = :seen OR attribute_not_exists(pk)")',
    ),
    "a code item overwrites a newer one": (
        "shared/src/storage/code.rs",
        "(announced <= :reserved_at AND #code.#id <> :id)",
        "((announced <= :reserved_at OR announced > :reserved_at) AND #code.#id <> :id)",
    ),
    "MFA off keeps outstanding codes": (
        f"{DOMAIN}/toggle.rs",
        "    ledger.begin_epoch(grace);\n    ledger.codes.clear();",
        "    ledger.begin_epoch(grace);",
    ),
    "a reset keeps proven addresses": (f"{DOMAIN}/ledger.rs", "        self.proven.clear();\n", ""),
    "a reset keeps recent logins": (f"{DOMAIN}/ledger.rs", "        self.recent.clear();\n", ""),
    "a refresh token is taken for an erased ledger": (
        f"{DOMAIN}/session.rs",
        "if !snapshot.is_of_epoch(session.security_epoch) {",
        "if session.security_epoch != snapshot.ledger.security_epoch {",
    ),
    "a used recovery code begins no new epoch": (
        f"{DOMAIN}/recovery.rs",
        "    ledger.unlock(cx.now);\n    ledger.begin_epoch(None);",
        "    ledger.unlock(cx.now);",
    ),
    "trust of any epoch counts": (
        f"{DOMAIN}/trust.rs",
        "move |record: &&TrustRecord| snapshot.is_of_epoch(record.security_epoch) && record.until > now;",
        "move |record: &&TrustRecord| snapshot.stored && record.security_epoch <= snapshot.ledger.security_epoch && record.until > now;",
    ),
    "a used refresh token repeats for ever": (
        f"{DOMAIN}/session.rs",
        "now.since(session.rotated_at) <= Policy::REFRESH_GRACE",
        "now.since(session.rotated_at) >= std::time::Duration::ZERO",
    ),
    "a refresh token is taken in any epoch": (f"{DOMAIN}/session.rs", "if !snapshot.is_of_epoch(session.security_epoch) {", "if !snapshot.stored || session.security_epoch > snapshot.ledger.security_epoch {"),
    "a stranger's sends make a known caller wait": (
        f"{DOMAIN}/sends.rs",
        "if known { send.known } else { !send.reserve }",
        "if known { send.known || !send.reserve } else { !send.reserve }",
    ),
    "a network is known from before MFA was on": (
        f"{DOMAIN}/toggle.rs",
        "    ledger.forget_networks_but(cx.network());\n",
        "",
    ),
    "a network becomes known while MFA is off": (
        f"{DOMAIN}/toggle.rs",
        "cx.network().filter(|_| ledger.enabled)",
        "cx.network().filter(|_| ledger.enabled || ledger.networks.len() < 9)",
    ),
    "a full counter does not stop those behind it": (
        "shared/src/storage/user.rs",
        "            self.raise(counter, now).await?;\n        }\n        Ok(())",
        "            let raised = self.raise(counter, now).await;\n            if counters.len() == 1 { raised?; }\n"
        "        }\n        Ok(())",
    ),
    "a superseded code is counted as wrong": (
        f"{DOMAIN}/verify.rs",
        "if judged.iter().flat_map(|record| &record.superseded).any(is_it) {",
        "if judged.iter().flat_map(|record| &record.superseded).any(is_it) && judged.is_empty() {",
    ),
    "a stranger voids the owner's code in a shared login": (
        f"{DOMAIN}/ledger.rs",
        "of_known_caller: shared && self.known",
        "of_known_caller: shared && self.known && self.until.as_secs() == 0",
    ),
    "an item of a newer schema is read": (
        "shared/src/storage/item.rs",
        "newer if newer > newest => Err(ReadError::Newer(newer)),",
        "newer if newer > newest + 9 => Err(ReadError::Newer(newer)),",
    ),
    "any hash key is taken": (
        "shared/src/storage/hash_key.rs",
        "if stored != Some(&self.hash_key[..]) {",
        "if stored.is_some_and(<[u8]>::is_empty) {",
    ),
    "the last method may be removed": (
        f"{DOMAIN}/remove_device.rs",
        "if was_active && gated && !gate::has_lasting_method(&after, bound, cx) {",
        "if was_active && gated && !bound && !gate::has_lasting_method(&after, bound, cx) {",
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
