#!/usr/bin/env python3
"""Looks for secrets in files, and fails if it finds one: `secret_scan.py SECRETS FILE…`.

SECRETS has one secret a line. The scan ignores case. It looks for each secret as text, base64,
base64url and hexadecimal, and in the same forms also for
- the bytes of a base 32 secret,
- the characters of a recovery code without the hyphens,
- payload and signature of a JWT,
- the MAC of a refresh token and the random part of a trust token, as text and as bytes.
"""

import base64
import binascii
import re
import sys


def forms(secret):
    """The forms in which a secret could be written, as lower-case bytes."""
    raws = [secret.encode()]
    if re.fullmatch("[A-Z2-7]{32}", secret):
        raws.append(base64.b32decode(secret))
    if re.fullmatch("[0-9A-Z]{4}(-[0-9A-Z]{4})+", secret):
        raws.append(secret.replace("-", "").encode())
    if match := re.fullmatch(r"(?:mfa_.+\.|mfat_)([0-9A-Za-z_-]{43})", secret):
        # Session and generation of a refresh token are not secret.
        raws += [match[1].encode(), base64.urlsafe_b64decode(match[1] + "=")]
    elif secret.count(".") == 2:
        # The header of a token is not secret.
        raws += [part.encode() for part in secret.split(".")[1:]]
    for raw in raws:
        yield raw.lower()
        yield raw.hex().encode()
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(raw).rstrip(b"=").lower()


def contents(path):
    """The bytes of a file, followed by the decoded bytes of its base64 values."""
    with open(path, "rb") as file:
        data = file.read()
    values = re.findall(rb'"([A-Za-z0-9+/]{8,}={0,2})"', data)
    decoded = []
    for value in values:
        try:
            decoded.append(base64.b64decode(value, validate=True))
        except binascii.Error:
            pass
    return b"\0".join([data, *decoded]).lower()


def is_in(form, data):
    # Any long number may contain six given digits. A code counts only if it stands alone.
    if re.fullmatch(rb"\d{1,10}", form):
        return re.search(rb"(?<![0-9a-z])" + form + rb"(?![0-9a-z])", data)
    return form in data


def main():
    with open(sys.argv[1]) as file:
        secrets = [line for line in file.read().splitlines() if line]
    found = [
        f"{path}: {secret[:4]}…"
        for path in sys.argv[2:]
        for data in [contents(path)]
        for secret in secrets
        if any(is_in(form, data) for form in forms(secret))
    ]
    print("\n".join(found) or f"  none of {len(secrets)} secrets in {len(sys.argv) - 2} files")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
