// Runs the published Nest Auth client against the local server:
// `node .ci/nest_client.mjs [MFA-LOCAL]`. It makes every MFA call of the client, with right and wrong
// input, and shows how the client's session continues and ends. The package is in
// target/ci/node_modules.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { openSync, readFileSync } from 'node:fs';
import { register } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

process.on('uncaughtException', ({ message }) => process.exit(console.error(`FAILED: ${message}`) ?? 1));

// The package is made for bundlers. Its own imports leave out `.js`, which Node needs.
const addEnding = `export const resolve = (name, context, next) => next(name, context)
  .catch((error) => name.startsWith('.') ? next(name + '.js', context) : Promise.reject(error));`;
register(`data:text/javascript,${encodeURIComponent(addEnding)}`);
const target = new URL('../target/', import.meta.url);
const nest = await import(new URL('ci/node_modules/@ackplus/nest-auth-client/dist/index.js', target));

const binary = process.argv[2] ?? new URL('debug/mfa-local', target).pathname;
const url = await startServer(new URL('ci/nest-client.log', target));
const user = { sub: 'nora', email: 'nora@example.com', phone: '+14155550187' };
const A_WHILE = 16 * 60; // in seconds; after it the access token has expired, and no proof is fresh
const traffic = []; // "STATUS METHOD PATH" of every call that left a client

async function startServer(log) {
  const server = spawn(binary, ['--port', '0'], { stdio: ['ignore', openSync(log, 'w'), 'inherit'] });
  process.on('exit', () => server.kill());
  for (let tries = 0; tries < 300 && server.exitCode === null; tries++, await sleep(100)) {
    const found = /Serving the MFA bundle at (http:\S+)/.exec(readFileSync(log, 'utf8'));
    if (found) return found[1];
  }
  throw new Error(`${binary} does not serve`);
}

async function local(method, path, body) {
  const options = { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) };
  return (await fetch(url + path, options)).json();
}

const advance = (seconds) => local('POST', '/__local/clock', { advance: seconds });
const newestCode = async () => (await local('GET', '/__local/inbox')).filter((mail) => mail.code).at(-1).code;
const otherThan = (code) => (code === '271828' ? '314159' : '271828');

// RFC 6238: SHA-1, 6 digits, 30 s.
async function totp() {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'));
  const key = Buffer.from(bits.join('').match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor((await local('GET', '/__local/clock')).unix / 30)));
  const mac = createHmac('sha1', key).update(step).digest();
  return String((mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

// Stands between client and server. It also is the application's login, which asks for a second
// factor.
const adapter = {
  async request(options) {
    const path = options.url.slice(url.length);
    if (path === nest.DEFAULT_ENDPOINTS.login) {
      const login = await local('POST', '/__local/token', options.body);
      return { status: 200, ok: true, data: { ...login, refreshToken: 'of-the-login', isRequiresMfa: true } };
    }
    const response = await new nest.FetchAdapter().request(options);
    traffic.push(`${response.status} ${options.method} ${path}`);
    return response;
  },
};

function newClient(storage = new nest.MemoryStorage()) {
  const client = new nest.AuthClient({ baseUrl: url, storage, httpAdapter: adapter });
  client.onLogout(() => (client.signedOut = true));
  return client;
}

function check(what, seen, wanted = true) {
  const text = JSON.stringify;
  if (!isDeepStrictEqual(seen, wanted)) throw new Error(`${what}: ${text(seen)} instead of ${text(wanted)}`);
  console.log(`  ok  ${what}`);
}

// The "STATUS CODE" of a call that must fail.
const refusal = (call) => call.then(() => 'a success', (error) => `${error.statusCode} ${error.code}`);

// Expects a refusal that leaves the client signed in with the same token.
async function refused(client, what, wanted, call) {
  const before = await client.getAccessToken();
  const seen = await refusal(call());
  check(`${what}: ${wanted}`, [seen, client.signedOut, await client.getAccessToken()], [wanted, undefined, before]);
}

// The requests that a call sends, and its answer.
async function sends(call) {
  const [start, answer] = [traffic.length, await call()];
  return [traffic.slice(start), answer];
}

const proves = (token) => nest.decodeJwt(token)?.isMfaVerified ?? false;

console.log('Set up');
const storage = new nest.MemoryStorage();
const client = newClient(storage);
await client.login(user);
check('getMfaStatus', (await client.getMfaStatus()).isEnabled, false);
await refused(client, 'setupTotp, wrong type', '400 INVALID_INPUT', () => client.setupTotp({ deviceName: 7 }));
const { secret } = await client.setupTotp({ deviceName: 'Pocket phone' });
let otp = otherThan(await totp());
await refused(client, 'verifyTotpSetup', '400 MFA_CODE_INVALID', () => client.verifyTotpSetup({ otp, secret }));
otp = await totp();
check('verifyTotpSetup', (await client.verifyTotpSetup({ otp, secret })).message, 'Device setup successfully');
const [device] = await client.listTotpDevices();
check('listTotpDevices', [device.deviceName, device.verified], ['Pocket phone', true]);
await refused(client, 'toggleMfa, wrong type', '400 INVALID_INPUT', () => client.toggleMfa({ enabled: 'true' }));
check('toggleMfa', (await client.toggleMfa({ enabled: true })).message, 'MFA enabled successfully');
await client.send2fa('email');
check('an address is proven', proves((await client.verify2fa({ method: 'email', otp: await newestCode() })).accessToken));
await advance(60);

console.log('Sign in with a code by e-mail');
await client.login(user);
await refused(client, 'send2fa, unknown method', '400 INVALID_INPUT', () => client.send2fa('pigeon'));
check('send2fa', (await client.send2fa('email')).message, 'MFA code sent successfully');
await refused(client, 'send2fa again', '429 RATE_LIMITED', () => client.send2fa('email'));
const code = { method: 'email', otp: await newestCode(), trustDevice: true };
const wrong = { ...code, otp: otherThan(code.otp) };
await refused(client, 'verify2fa, wrong', '400 VERIFICATION_CODE_INVALID', () => client.verify2fa(wrong));
const tokens = await client.verify2fa(code);
check('verify2fa', [proves(tokens.accessToken), client.getSession().userId], [true, user.sub]);
await refused(client, 'verify2fa, used', '400 VERIFICATION_CODE_INVALID', () => client.verify2fa(code));
const stored = ['access_token', 'refresh_token', 'trust_token'].map((key) => storage.get(key));
check('the client stores three tokens', stored, [tokens.accessToken, tokens.refreshToken, `${tokens.trustToken}`]);
check('generateRecoveryCode', (await client.generateRecoveryCode()).codes.length, 10);

console.log('A new login on a trusted device');
await client.login(user);
check('has no second factor', proves(await client.getAccessToken()), false);
const known = await client.attachToFetch()(`${url}/auth/mfa/verify-trusted-device`, { method: 'POST' });
check('the trust token that the client sends stands in for a code', proves((await known.json()).accessToken));

console.log('The session continues');
const ownStorage = new nest.MemoryStorage();
const own = newClient(ownStorage);
await own.login(user);
await advance(30);
otp = otherThan(await totp());
await refused(own, 'verify2fa, wrong', '400 MFA_CODE_INVALID', () => own.verify2fa({ method: 'totp', otp }));
const before = await own.verify2fa({ method: 'totp', otp: await totp() });
check('verify2fa by the app', proves(before.accessToken));
await advance(A_WHILE);
const [calls, status] = await sends(() => own.getMfaStatus());
const anew = ['401 GET /auth/mfa/status', '200 POST /auth/refresh-token', '200 GET /auth/mfa/status'];
check('an expired token is refreshed', [status.isEnabled, calls], [true, anew]);
check('into another that proves as much', proves(ownStorage.get('access_token')));
check('with another refresh token', ownStorage.get('refresh_token') !== before.refreshToken);
const tooOld = [await refusal(own.generateRecoveryCode()), own.signedOut];
check('a factor that is not fresh does not sign out', tooOld, ['401 MFA_REQUIRED', undefined]);

console.log('Calls at once with an expired token');
await advance(A_WHILE);
// Most calls use fetch. If the client itself calls one address more than once within a millisecond,
// it repeats only the first call.
const byFetch = own.attachToFetch();
const many = Array.from({ length: 12 }, () => () => byFetch(`${url}/auth/mfa/status`).then((reply) => reply.ok));
many.push(() => own.getMfaStatus().then(() => true), () => own.listTotpDevices().then(() => true));
check('all fourteen succeed', (await Promise.all(many.map((call) => call()))).every(Boolean));
await advance(A_WHILE);
const [tab, otherTab] = [newClient(ownStorage), newClient(ownStorage)];
const [inTabs] = await sends(() => Promise.all([tab.getMfaStatus(), otherTab.getMfaStatus()]));
check('two tabs refresh at once', inTabs.filter((call) => call === anew[1]).length, 2);
check('and get the same token', (await tab.refresh()).refreshToken, (await otherTab.refresh()).refreshToken);

console.log('Recovery codes, removal, starting over');
await tab.verify2fa({ method: 'totp', otp: await totp() });
const { codes } = await tab.generateRecoveryCode();
const invalid = '400 MFA_RECOVERY_CODE_INVALID';
await refused(tab, 'verifyRecoveryCode, wrong', invalid, () => tab.verifyRecoveryCode({ code: 'of-nobody' }));
const recovered = await tab.verifyRecoveryCode({ code: codes[0] });
check('verifyRecoveryCode', [proves(recovered.accessToken), recovered.accessToken], [true, await tab.getAccessToken()]);
await refused(tab, 'removeTotpDevice, unknown', '404 MFA_DEVICE_NOT_FOUND', () => tab.removeTotpDevice('unknown'));
check('removeTotpDevice', (await tab.removeTotpDevice(device.id)).message, 'MFA device removed successfully');
await refused(tab, 'resetMfa, used code', invalid, () => tab.resetMfa(codes[0]));
check('resetMfa', (await tab.resetMfa(codes[1])).message, 'MFA reset successfully');

console.log('A session that has ended signs out');
await advance(A_WHILE);
check('the next call', await refusal(tab.getMfaStatus()), '401 INVALID_TOKEN');
check('is the last', [tab.signedOut, await tab.getAccessToken(), tab.getIsAuthenticated()], [true, null, false]);

console.log('A refresh token that is used again signs out');
const [owner, thief] = [newClient(), newClient()];
await owner.login(user);
await owner.send2fa('sms');
const { refreshToken: stolen } = await owner.verify2fa({ method: 'sms', otp: await newestCode() });
await owner.refresh();
await advance(11);
check('the thief', await refusal(thief.refresh({ refreshToken: stolen })), '401 REFRESH_TOKEN_INVALID');
check('and the owner', [await refusal(owner.refresh()), owner.signedOut], ['401 REFRESH_TOKEN_INVALID', true]);

console.log('Every MFA call of the client was answered and refused');
for (const [name, path] of Object.entries(nest.DEFAULT_ENDPOINTS)) {
  if (!path.startsWith('/auth/mfa/') && name !== 'refresh') continue;
  const calls = traffic.filter((call) => `${call}/`.includes(` ${path}/`));
  check(name, ['200', '4'].map((status) => calls.some((call) => call.startsWith(status))), [true, true]);
}
process.exit(); // the client keeps timers of a minute
