#!/usr/bin/env bash
# Makes a person's whole journey by curl on the local server: `.ci/smoke_test.sh [MFA-LOCAL]`. Each
# step also gets wrong input. At the end, neither the table nor the output of the server may contain
# a code, a token, another secret or an address.
set -euo pipefail
cd "$(dirname "$0")/.."

server=${1:-target/debug/mfa-local}
work=target/ci/journey
rm -rf "$work" && mkdir -p "$work"
touch "$work/output"

"$server" --port 0 >"$work/output" 2>&1 &
trap 'kill '$!' 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  url=$(sed -n 's/^Serving the MFA bundle at \(http:[^ ]*\).*/\1/p' "$work/output")
  [ -n "$url" ] && break
  sleep 0.1
done
[ -n "$url" ] || { cat "$work/output"; exit 1; }

fail() { echo "FAILED: $*" >&2; exit 1; }

# secret VALUE…: notes values that must be found nowhere at the end.
secret() { printf '%s\n' "$@" >>"$work/secrets"; }

# local_call METHOD PATH [BODY]: a call to the workbench.
local_call() { curl -sS --fail-with-body -X "$1" "$url$2" -H 'content-type: application/json' ${3+-d "$3"}; }

# expect "STATUS [CODE]" METHOD PATH [BODY]: a call with $token, and with the header $trust if it is
# set. The answer is in $reply, and its headers are in $work/headers.
trust=''
expect() {
  local wanted=$1 method=$2 path=$3 seen cache=no-store
  reply=$(curl -sS -D "$work/headers" -w '\n%{http_code}' -X "$method" "$url$path" ${trust:+-H "$trust"} \
    ${token:+-H "authorization: Bearer $token"} ${4+-H 'content-type: application/json' -d "$4"})
  seen=${reply##*$'\n'} reply=${reply%$'\n'*}
  [ "$seen" = 200 ] || seen="$seen $(jq -r .code <<<"$reply")"
  [ "$seen" = "$wanted" ] || fail "$method $path ${4-}: $seen instead of $wanted: $reply"
  # Only public keys may be cached.
  [ "$seen $path" = "200 /.well-known/jwks.json" ] && cache='public, max-age=900'
  header cache-control "$cache[[:space:]]*$"
  grep -qi '^x-request-id: .' "$work/headers" || fail "$method $path has no request id"
  printf '  %-32s %-4s %s\n' "$seen" "$method" "$path"
}

# holds FILTER: fails unless the jq filter is true of $reply.
holds() { jq -e "$1" >/dev/null <<<"$reply" || fail "not true: $1 of $reply"; }

# header NAME PATTERN: fails unless a header of the last answer matches.
header() { grep -qiE "^$1: *$2" "$work/headers" || fail "no header $1: $2"; }

# field NAME: a field of $reply.
field() { jq -r ".$1" <<<"$reply"; }

# claim NAME TOKEN: a claim of an access token.
claim() { jq -rR "split(\".\")[1] | gsub(\"-\"; \"+\") | gsub(\"_\"; \"/\") | @base64d | fromjson | .$1" <<<"$2"; }

# tokens_are_secret: notes the tokens of $reply as secret.
tokens_are_secret() { secret "$(jq -r '.accessToken, .refreshToken, .trustToken // empty' <<<"$reply")"; }

sign_in() {
  reply=$(local_call POST /__local/token "$1")
  token=$(field accessToken)
  secret "$token"
}

now() { local_call GET /__local/clock | jq '.unix | floor'; }
advance() { local_call POST /__local/clock "{\"advance\":$1}" >/dev/null; }

# totp [SECONDS]: the authenticator's code at so many seconds from now, by the server's clock.
totp() { oathtool --totp --base32 --now "@$(($(now) + ${1:-0}))" "$totp_secret"; }

# code CHANNEL: the newest code that arrived.
code() { local_call GET /__local/inbox | jq -r "[.[] | select(.channel == \"$1\" and .code)][-1].code"; }

# other_than CODE…: six digits that differ from all of these codes.
other_than() {
  local guess
  for guess in 271828 314159 141421 173205 577215; do
    case " $* " in *" $guess "*) ;; *) echo $guess; return ;; esac
  done
}

email=walter.example@mail.example.com
phone=+14155550123
user=walter-of-the-journey
login="{\"sub\":\"$user\",\"email\":\"$email\",\"phone\":\"$phone\"}"
secret "$user" "$email" "$phone" "${phone#+}"

echo "Who is calling"
token=''
expect "401 NO_AUTH_PROVIDED" GET /auth/mfa/status
header www-authenticate Bearer
token=not.a.token
expect "401 INVALID_TOKEN" GET /auth/mfa/status
sign_in "{\"sub\":\"$user\",\"type\":\"refresh\"}"
expect "401 INVALID_TOKEN" GET /auth/mfa/status
sign_in "$login"
expect "200" GET /auth/mfa/status
holds '.isEnabled == false and .verifiedMethods == ["email", "sms"] and .totpDevices == []'
expect "404 NOT_FOUND" GET /auth/mfa/nothing
expect "405 METHOD_NOT_ALLOWED" GET /auth/mfa/verify

echo "Set up an authenticator"
expect "400 INVALID_INPUT" POST /auth/mfa/setup-totp '{"deviceName":7}'
expect "200" POST /auth/mfa/setup-totp '{"deviceName":"Pocket phone"}'
totp_secret=$(field secret)
secret "$totp_secret"
jq -r '.qrCode | ltrimstr("data:image/png;base64,")' <<<"$reply" | base64 -d >"$work/qr.png"
scanned=$(zbarimg --nodbus --quiet --raw "$work/qr.png")
[ "$scanned" = "$(field otpAuthUrl)" ] || fail "the QR code says $scanned"
case $scanned in "otpauth://totp/"*"secret=$totp_secret"*) ;; *) fail "the address is $scanned" ;; esac

echo "Confirm it"
first=$(totp)
wrong=$(other_than "$first" "$(totp -30)" "$(totp 30)")
secret "$first"
expect "400 MISSING_REQUIRED_FIELD" POST /auth/mfa/verify-totp-setup "{\"otp\":\"$first\"}"
expect "400 INVALID_INPUT" POST /auth/mfa/verify-totp-setup "{\"otp\":$first,\"secret\":\"$totp_secret\"}"
expect "400 MFA_CODE_INVALID" POST /auth/mfa/verify-totp-setup "{\"otp\":\"$wrong\",\"secret\":\"$totp_secret\"}"
expect "400 MFA_CODE_INVALID" POST /auth/mfa/verify-totp-setup "{\"otp\":\"$first\",\"secret\":\"JBSWY3DPEHPK3PXP\"}"
expect "200" POST /auth/mfa/verify-totp-setup "{\"otp\":\"$first\",\"secret\":\"$totp_secret\"}"
expect "200" GET /auth/mfa/devices
holds 'length == 1 and .[0].verified and .[0].deviceName == "Pocket phone" and (.[0] | has("lastUsedAt") | not)'

echo "Turn MFA on"
expect "400 INVALID_INPUT" POST /auth/mfa/toggle '{"enabled":"true"}'
expect "200" POST /auth/mfa/toggle '{"enabled":true}'
expect "200" GET /auth/mfa/status
holds '.isEnabled and .verifiedMethods == ["totp", "email", "sms"]'

echo "Prove the addresses, as this login is proven"
for method in email sms; do
  expect "200" POST /auth/mfa/challenge "{\"method\":\"$method\"}"
  proof=$(code $method)
  secret "$proof"
  expect "200" POST /auth/mfa/verify "{\"method\":\"$method\",\"otp\":\"$proof\"}"
  tokens_are_secret
  advance 30
done
advance 3600

echo "A new login has proven nothing yet"
sign_in "$login"
expect "401 MFA_REQUIRED" POST /auth/mfa/toggle '{"enabled":false}'
header www-authenticate '.*insufficient_user_authentication'

echo "A code by e-mail"
expect "400 INVALID_INPUT" POST /auth/mfa/challenge '{"method":"pigeon"}'
expect "400 VERIFICATION_CODE_INVALID" POST /auth/mfa/verify '{"method":"email","otp":"123456"}'
expect "200" POST /auth/mfa/challenge '{"method":"email"}'
holds '.expiresIn == 300 and .resendAfter == 30 and (.destination | contains("***"))'
expect "429 RATE_LIMITED" POST /auth/mfa/challenge '{"method":"email"}'
header retry-after '[0-9]'
mailed=$(code email)
secret "$mailed"
expect "400 VERIFICATION_CODE_INVALID" POST /auth/mfa/verify "{\"method\":\"email\",\"otp\":\"$(other_than "$mailed")\"}"
expect "400 VERIFICATION_CODE_INVALID" POST /auth/mfa/verify "{\"method\":\"sms\",\"otp\":\"$mailed\"}"
expect "200" POST /auth/mfa/verify "{\"method\":\"email\",\"otp\":\"$mailed\"}"
holds '.isRequiresMfa == false and (.refreshToken | length > 0)'
holds 'has("trustToken") | not'
tokens_are_secret
verified=$(field accessToken) refresh=$(field refreshToken)
expect "400 VERIFICATION_CODE_INVALID" POST /auth/mfa/verify "{\"method\":\"email\",\"otp\":\"$mailed\"}"

echo "The session continues without a login token, until a refresh token is used again"
token=''
expect "400 MISSING_REQUIRED_FIELD" POST /auth/refresh-token '{}'
expect "400 INVALID_INPUT" POST /auth/refresh-token '{"refreshToken":7}'
expect "401 REFRESH_TOKEN_INVALID" POST /auth/refresh-token '{"refreshToken":"not.a.token"}'
forged="${refresh%.*}.$(printf 'A%.0s' $(seq 43))"
expect "401 REFRESH_TOKEN_INVALID" POST /auth/refresh-token "{\"refreshToken\":\"$forged\"}"
advance 5
expect "200" POST /auth/refresh-token "{\"refreshToken\":\"$refresh\"}"
holds 'keys == ["accessToken", "refreshToken"]'
tokens_are_secret
second=$(field refreshToken)
[ "$second" != "$refresh" ] || fail "the refresh token is not replaced"
for name in sub isMfaVerified auth_time; do
  [ "$(claim $name "$(field accessToken)")" = "$(claim $name "$verified")" ] || fail "refreshing changes $name"
done
expect "200" POST /auth/refresh-token "{\"refreshToken\":\"$refresh\"}"
[ "$(field refreshToken)" = "$second" ] || fail "the same refresh token gets another successor"
tokens_are_secret
advance 11
expect "401 REFRESH_TOKEN_INVALID" POST /auth/refresh-token "{\"refreshToken\":\"$refresh\"}"
expect "401 REFRESH_TOKEN_INVALID" POST /auth/refresh-token "{\"refreshToken\":\"$second\"}"
sign_in "$login"

echo "A code by text message, too late and in time"
advance 60
expect "200" POST /auth/mfa/challenge '{"method":"sms"}'
texted=$(code sms)
secret "$texted"
advance 300
expect "400 VERIFICATION_CODE_EXPIRED" POST /auth/mfa/verify "{\"method\":\"sms\",\"otp\":\"$texted\"}"
expect "200" POST /auth/mfa/challenge '{"method":"sms"}'
texted=$(code sms)
secret "$texted"
last_line=$(local_call GET /__local/inbox | jq -r '[.[] | select(.channel == "sms")][-1].text' | tail -n 1)
[ "$last_line" = "@example.com #$texted" ] || fail "the text message ends with $last_line"
expect "200" POST /auth/mfa/verify "{\"method\":\"sms\",\"otp\":\"$texted\"}"
tokens_are_secret

echo "A code of the authenticator"
expect "200" POST /auth/mfa/challenge '{"method":"totp"}'
holds 'keys == ["message"]'
fresh=$(totp)
wrong=$(other_than "$fresh" "$(totp -30)" "$(totp 30)")
expect "404 MFA_DEVICE_NOT_FOUND" POST /auth/mfa/verify \
  "{\"method\":\"totp\",\"otp\":\"$fresh\",\"deviceId\":\"00000000-0000-4000-8000-000000000000\"}"
expect "400 MFA_CODE_INVALID" POST /auth/mfa/verify "{\"method\":\"totp\",\"otp\":\"$wrong\"}"
expect "200" POST /auth/mfa/verify "{\"method\":\"totp\",\"otp\":\"$fresh\"}"
secret "$fresh"
tokens_are_secret
expect "400 MFA_CODE_INVALID" POST /auth/mfa/verify "{\"method\":\"totp\",\"otp\":\"$fresh\"}"
advance 30
fresh=$(totp)
expect "400 INVALID_INPUT" POST /auth/mfa/verify "{\"method\":\"totp\",\"otp\":\"$fresh\",\"trustDevice\":\"yes\"}"
expect "200" POST /auth/mfa/verify "{\"method\":\"totp\",\"otp\":\"$fresh\",\"trustDevice\":true}"
secret "$fresh"
tokens_are_secret
trust_token=$(field trustToken)
case $trust_token in mfat_*) ;; *) fail "no trust token: $reply" ;; esac
expect "200" GET /auth/mfa/devices
holds '.[0].lastUsedAt'

echo "A trusted device needs no code"
sign_in "$login"
expect "400 MISSING_REQUIRED_FIELD" POST /auth/mfa/verify-trusted-device
trust="nest_auth_device_trust: mfat_$(printf 'A%.0s' $(seq 43))"
expect "404 MFA_DEVICE_NOT_FOUND" POST /auth/mfa/verify-trusted-device
for name in nest_auth_device_trust nest-auth-device-trust; do
  trust="$name: $trust_token"
  sign_in '{"sub":"somebody-else"}'
  expect "404 MFA_DEVICE_NOT_FOUND" POST /auth/mfa/verify-trusted-device
  sign_in "$login"
  expect "200" POST /auth/mfa/verify-trusted-device
  holds '.isRequiresMfa == false and (.refreshToken | length > 0)'
  tokens_are_secret
  [ "$(claim isMfaVerified "$(field accessToken)")" = true ] || fail "no claim isMfaVerified"
done

echo "End the trust"
trust=''
sign_in "$login"
expect "401 MFA_REQUIRED" GET /auth/mfa/trusted-devices
local_call GET /__local/table >"$work/table-trusted.json" # with sessions and trust
login_token=$token token=$verified
expect "200" GET /auth/mfa/trusted-devices
holds 'length == 1 and (.[0] | keys) == ["createdAt", "expiresAt", "id", "label", "lastUsedAt"]'
trusted=$(field '[0].id')
token=$login_token
expect "401 MFA_REQUIRED" DELETE "/auth/mfa/trusted-devices/$trusted"
token=$verified
expect "404 MFA_DEVICE_NOT_FOUND" DELETE /auth/mfa/trusted-devices/AAAAAAAAAAAAAAAAAAAAAA
expect "200" DELETE "/auth/mfa/trusted-devices/$trusted"
holds '. == {"message": "Trusted device revoked successfully"}'
expect "404 MFA_DEVICE_NOT_FOUND" DELETE "/auth/mfa/trusted-devices/$trusted"
expect "200" GET /auth/mfa/trusted-devices
holds '. == []'
token=$login_token trust="nest_auth_device_trust: $trust_token"
expect "404 MFA_DEVICE_NOT_FOUND" POST /auth/mfa/verify-trusted-device
trust=''

echo "The keys of the tokens: none, with HS256"
token=''
expect "200" GET /.well-known/jwks.json
holds '. == {"keys": []}'
expect "405 METHOD_NOT_ALLOWED" POST /.well-known/jwks.json
token=$login_token

echo "The verified token opens what the login token does not"
expect "401 MFA_REQUIRED" POST /auth/mfa/setup-totp
expect "401 MFA_REQUIRED" POST /auth/mfa/generate-recovery-code
token=$verified
expect "200" POST /auth/mfa/generate-recovery-code
holds '(.codes | length) == 10 and (.codes | unique | length) == 10 and .code == .codes[0]'
mapfile -t recovery_codes < <(jq -r '.codes[]' <<<"$reply")
secret "${recovery_codes[@]}"

echo "A recovery code"
sign_in "$login"
expect "400 MISSING_REQUIRED_FIELD" POST /auth/mfa/verify-recovery-code '{}'
expect "400 MFA_RECOVERY_CODE_INVALID" POST /auth/mfa/verify-recovery-code '{"code":"0123-4567-89AB-CDEF-GHJK-MNPQ"}'
expect "200" POST /auth/mfa/verify-recovery-code "{\"code\":\"${recovery_codes[0]}\"}"
holds '.recoveryCodesLeft == 9 and .isRequiresMfa == false'
tokens_are_secret
recovered=$(field accessToken) refresh=$(field refreshToken)
expect "400 MFA_RECOVERY_CODE_INVALID" POST /auth/mfa/verify-recovery-code "{\"code\":\"${recovery_codes[0]}\"}"
local_call GET /__local/table >"$work/table-on.json" # while MFA is on

echo "Rename the authenticator, and remove it"
expect "200" GET /auth/mfa/devices
device=$(field '[0].id')
expect "401 MFA_REQUIRED" PATCH "/auth/mfa/devices/$device" '{"deviceName":"New phone"}'
expect "401 MFA_REQUIRED" DELETE "/auth/mfa/devices/$device"
token=$verified # its proof ended when the recovery code was used
expect "401 MFA_REQUIRED" DELETE "/auth/mfa/devices/$device"
token=$recovered
expect "404 MFA_DEVICE_NOT_FOUND" PATCH /auth/mfa/devices/00000000-0000-4000-8000-000000000000 '{"deviceName":"New phone"}'
expect "400 MISSING_REQUIRED_FIELD" PATCH "/auth/mfa/devices/$device" '{"deviceName":" "}'
expect "200" PATCH "/auth/mfa/devices/$device" '{"deviceName":"New phone"}'
expect "200" GET /auth/mfa/devices
holds '.[0].deviceName == "New phone"'
expect "404 MFA_DEVICE_NOT_FOUND" DELETE /auth/mfa/devices/00000000-0000-4000-8000-000000000000
expect "200" DELETE "/auth/mfa/devices/$device"
expect "200" GET /auth/mfa/devices
holds '. == []'

echo "Turn MFA off, on again, and start over"
expect "200" POST /auth/refresh-token "{\"refreshToken\":\"$refresh\"}"
tokens_are_secret
refresh=$(field refreshToken)
expect "200" POST /auth/mfa/toggle '{"enabled":false}'
expect "200" POST /auth/refresh-token "{\"refreshToken\":\"$refresh\"}" # the caller's own session goes on
tokens_are_secret
refresh=$(field refreshToken)
expect "200" POST /auth/mfa/toggle '{"enabled":true}'
expect "400 MFA_RECOVERY_CODE_INVALID" POST /auth/mfa/reset-totp "{\"code\":\"${recovery_codes[0]}\"}"
expect "200" POST /auth/mfa/reset-totp "{\"code\":\"${recovery_codes[1]}\"}"
expect "200" GET /auth/mfa/status
holds '.isEnabled == false and .hasRecoveryCode == false and .totpDevices == []'

echo "No secret is readable"
local_call GET /__local/table >"$work/table-off.json"
grep -q 'MFA#LEDGER' "$work/table-on.json" || fail "no ledger in the dump of the table"
grep -q 'TRUST#' "$work/table-trusted.json" || fail "no trusted device in the dump"
grep -q 'SESSION#' "$work/table-trusted.json" || fail "no session in the dump"
grep -q '^200 POST .*/auth/mfa/verify' "$work/output" || fail "no verify request in the output of the server"
python3 .ci/secret_scan.py "$work/secrets" "$work"/table-{trusted,on,off}.json "$work/output"
# The secret scan itself must be able to fail.
while read -r planted; do
  jq --arg text "$planted" '. + [{"planted": {"S": $text}}]' "$work/table-on.json" >"$work/planted.json"
  python3 .ci/secret_scan.py "$work/secrets" "$work/planted.json" >"$work/search" && fail "a planted secret is not found"
done <"$work/secrets"
raws=("$(base32 -d <<<"$totp_secret" | base64)")
for secret in "${trust_token#mfat_}" "${refresh##*.}"; do raws+=("$(tr _- /+ <<<"$secret")="); done
for raw in "${raws[@]}"; do
  jq --arg bytes "$raw" '. + [{"planted": {"B": $bytes}}]' "$work/table-on.json" >"$work/planted.json"
  python3 .ci/secret_scan.py "$work/secrets" "$work/planted.json" >"$work/search" && fail "planted bytes are not found"
done
echo "  each of $(wc -l <"$work/secrets") secrets is found where it is planted, and nowhere else"
