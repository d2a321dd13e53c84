#!/usr/bin/env bash
# Builds six functions as they are deployed (but for this machine's processor), an empty function
# and the local server. Shows their sizes, that each function holds only what its endpoint uses, that
# the functions run on Amazon Linux 2023, whose glibc is 2.34, and that nothing in them tells which
# machine built them.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "FAILED: $*" >&2; exit 1; }

# Of the four functions of passkeys, one: they use the same.
functions=(status verify challenge setup-totp notify verify-passkey)
# Without a target, cargo-lambda builds for the glibc of this machine, by its compiler and linker.
target=$(rustc --version --verbose | sed -n 's/^host: //p')
build() { scripts/reproducible cargo lambda build --release --locked --target="$target" "$@"; }
# In one call with the functions, so that their common crates are built once.
build "${functions[@]/#/--bin=}" --bin=mfa-local
build --example=empty_function

binary() { echo "target/lambda/$1/bootstrap"; }
megabytes() { awk -v bytes="$(stat -c %s "$1")" 'BEGIN { printf "%.1f MB", bytes / 1e6 }'; }

for name in "${functions[@]}" empty_function; do
  zip=target/ci/$name.zip
  rm -f "$zip"
  python3 -m zipfile -c "$zip" "$(binary "$name")"
  printf '  %-14s %s, zipped %s\n' "$name" "$(megabytes "$(binary "$name")")" "$(megabytes "$zip")"
done
printf '  %-14s %s\n' mfa-local "$(megabytes "$(binary mfa-local)")"

# Each marker stands in the code of one thing. The function that uses this thing must hold the
# marker. Otherwise the search in the other functions shows nothing.
holds() { grep -qaF "$2" "$(binary "$1")" || fail "$1 holds no $3 ($2): look for something else"; }
lacks() { if grep -qaF "$2" "$(binary "$1")"; then fail "$1 holds $3 ($2)"; fi; }
while read -r marker user what; do
  for name in "${functions[@]}"; do
    if [[ ",$user," == *",$name,"* ]]; then holds "$name" "$marker" "$what"; else lacks "$name" "$marker" "$what"; fi
  done
  echo "  $what: only in $user"
done <<'MARKERS'
/v2/email/outbound-emails challenge,notify SES
PublishResponse challenge SNS
PinpointSMSVoiceV2.SendTextMessage challenge End User Messaging
リクエスト元 challenge,notify texts in other languages
認証アプリが追加されました notify texts of notices
AWSEvents.PutEvents notify EventBridge
data:image/png setup-totp QR code
IHDR setup-totp PNG
userVerification verify-passkey WebAuthn
MARKERS

for name in "${functions[@]}"; do
  newest=$(objdump -T "$(binary "$name")" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
  printf '%s\n' "$newest" GLIBC_2.34 | sort -VC || fail "$name needs $newest"
  printf '  %-14s needs %s\n' "$name" "$newest"
done

# A path of this machine would give other bytes on the next one.
for name in "${functions[@]}" mfa-local; do
  holds "$name" /cargo/registry/src/ "path of a source file"
  for folder in "$PWD" "$HOME" "${CARGO_HOME:-$HOME}" "$(rustc --print sysroot)"; do
    lacks "$name" "$folder/" "a path of this machine"
  done
done
echo "  no path of this machine"
