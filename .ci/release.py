#!/usr/bin/env python3
"""Writes what a release consists of into target/dist/: a folder and an archive for each architecture.

scripts/build makes the folders. This adds scripts/deploy, the programs mfa-local and mfa-admin, the
documentation, a CycloneDX bill of materials (sbom.cdx.json), the licences of others (THIRD-PARTY-NOTICES.txt and
COPYRIGHT-library.html) and SHA256SUMS. One commit gives the same bytes in every folder.

Needs cargo-lambda and cargo-cyclonedx.
"""

import datetime
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import uuid
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
# What selects each program. mfa-admin is built by itself, as the comment at default-members in Cargo.toml says.
PROGRAMS = {"mfa-local": ("--bin=mfa-local",), "mfa-admin": ("--package=mfa-admin", "--bin=mfa-admin")}
NOT_RELEASED = "mfa-tests"
SBOM = "sbom.cdx.json"
LICENCE_FILE = re.compile(r"(un)?licen[cs]e|copying|copyright|notice", re.IGNORECASE)


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def add_programs(folder, architecture):
    binaries = ROOT / "target" / "lambda" / architecture
    build = ("cargo", "lambda", "build", "--locked", "--profile=release", f"--target={TARGETS[architecture]}")
    for name, selected in PROGRAMS.items():
        output(ROOT / "scripts" / "reproducible", *build, f"--lambda-dir={binaries}", *selected)
        shutil.copy(binaries / name / "bootstrap", folder / name)


def crates_in_binaries(target):
    """The crates of others that the members of the workspace are built from, without those of tests and builds."""
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"))
    packages = {package["id"]: package for package in metadata["packages"]}
    needs = {
        node["id"]: [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    waiting = [member for member in metadata["workspace_members"] if packages[member]["name"] != NOT_RELEASED]
    found = set()
    while waiting:
        if (crate := waiting.pop()) not in found:
            found.add(crate)
            waiting += needs[crate]
    others = [packages[crate] for crate in found - set(metadata["workspace_members"])]
    return sorted(others, key=lambda crate: (crate["name"], crate["version"]))


def add_notices(folder, architecture):
    """Collects the licence files of all crates, each text once.

    cargo-about is no help: for AWS-LC, it writes standard texts with "<year> <owner>" in place of
    the copyright notices that the crate comes with.
    """
    crates_of = defaultdict(list)
    for crate in crates_in_binaries(TARGETS[architecture]):
        source = Path(crate["manifest_path"]).parent
        files = {path for path in source.iterdir() if path.is_file() and LICENCE_FILE.match(path.name)}
        if crate["license_file"]:
            files.add(source / crate["license_file"])
        texts = {path.read_text(errors="replace").strip() for path in files}
        for text in texts or {f"These crates come without a licence text. {', '.join(crate['authors'])}".strip()}:
            crates_of[text].append(f"- {crate['name']} {crate['version']}: {crate['license']}")
    parts = ["Licences of the crates in these binaries. COPYRIGHT-library.html has those of Rust's standard library."]
    for text, crates in sorted(crates_of.items(), key=lambda item: item[1]):
        parts.append("\n".join(["=" * 80, *crates, "-" * 80, text]))
    (folder / "THIRD-PARTY-NOTICES.txt").write_text("\n\n".join(parts) + "\n")
    shutil.copy(Path(output("rustc", "--print=sysroot")) / "share/doc/rust/COPYRIGHT-library.html", folder)


def add_bill_of_materials(folder, architecture, version):
    """Merges the bills that cargo-cyclonedx writes for each member of the workspace: none covers them all."""
    output(
        *("cargo", "cyclonedx", "--quiet", "--format=json", "--spec-version=1.5", "--no-build-deps"),
        *(f"--target={TARGETS[architecture]}", f"--override-filename={SBOM.removesuffix('.json')}"),
    )
    components, dependencies, members = {}, {}, []
    for path in sorted(ROOT.glob(f"*/{SBOM}")) + sorted(ROOT.glob(f"functions/*/{SBOM}")):
        # It names the members by their folders on this machine.
        text = path.read_text().replace(f"path+file://{ROOT}/", "path+file:///")
        path.unlink()
        bill = json.loads(re.sub(r'\?download_url=file://[^"#]*', "", text))
        member = bill["metadata"]["component"]
        if member["name"] == NOT_RELEASED:
            continue
        member.pop("components", None)
        members.append(member["bom-ref"])
        components |= {component["bom-ref"]: component for component in [member, *bill["components"]]}
        dependencies |= {dependency["ref"]: dependency for dependency in bill["dependencies"]}

    bundle = {"type": "application", "bom-ref": "mfa-bundle", "name": "mfa-bundle", "version": version}
    bundle["licenses"] = [{"expression": "MIT OR Apache-2.0"}]
    dependencies["mfa-bundle"] = {"ref": "mfa-bundle", "dependsOn": sorted(members)}
    commit_time = int(output("git", "log", "-1", "--format=%ct"))
    bill["metadata"]["timestamp"] = datetime.datetime.fromtimestamp(commit_time, datetime.timezone.utc).isoformat()
    bill["metadata"]["component"] = bundle
    bill["components"] = [components[ref] for ref in sorted(components)]
    bill["dependencies"] = [dependencies[ref] for ref in sorted(dependencies)]
    # A random number, as it was, would differ from run to run.
    del bill["serialNumber"]
    bill["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(bill)).urn
    (folder / SBOM).write_text(json.dumps(bill, indent=2) + "\n")


def add_deploy_script(folder):
    shutil.copytree(ROOT / "scripts" / "deployment", folder / "scripts" / "deployment", ignore=lambda *_: ["__pycache__"])
    shutil.copy(ROOT / "scripts" / "deploy", folder / "scripts")


def add_documentation(folder):
    """Copies what README.md links to, as far as git has it: anything else would differ from machine to machine."""
    pages = ("docs", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
    for name in output("git", "ls-files", *pages).splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)


def add_sums(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(sums))


def write_archive(folder):
    executable = [f"{folder.name}/{name}" for name in (*PROGRAMS, "scripts/deploy")]

    def anonymous(entry):
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        entry.mode = 0o755 if entry.isdir() or entry.name in executable else 0o644
        return entry

    path = folder.with_name(f"{folder.name}.tar.gz")
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:
        with tarfile.open(fileobj=zipped, mode="w") as archive:
            # It adds the files of a folder in the order of their names.
            archive.add(folder, folder.name, filter=anonymous)
    print(f"  {path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB, {hashlib.sha256(path.read_bytes()).hexdigest()}")


def main():
    for line in output("scripts/build", "--architecture=all", "--profile=release").splitlines():
        folder = ROOT / line
        _, version, architecture = folder.name.split("-", 2)
        add_programs(folder, architecture)
        add_notices(folder, architecture)
        add_bill_of_materials(folder, architecture, version)
        add_deploy_script(folder)
        add_documentation(folder)
        add_sums(folder)
        write_archive(folder)


if __name__ == "__main__":
    main()
