// A person's client. It signs in at the application, sets up an authenticator at the MFA bundle and
// passes the second factor there. Then the application shows the transfers.
import { register } from 'node:module';
import { TOTP } from 'otpauth';

// The package is made for bundlers. Its own imports leave out `.js`, which Node needs.
const addEnding = `export const resolve = (name, context, next) => next(name, context)
  .catch((error) => name.startsWith('.') ? next(name + '.js', context) : Promise.reject(error));`;
register(`data:text/javascript,${encodeURIComponent(addEnding)}`);
const { AuthClient, FetchAdapter, MemoryStorage } = await import('@ackplus/nest-auth-client');

const { APP = 'http://127.0.0.1:3000', MFA = 'http://127.0.0.1:9000' } = process.env;
const credentials = { email: 'alice@example.com', password: 'correct horse' };

// The bundle answers `/auth/…`, and the application answers the rest. A refresh token goes to the
// side that issued it: those of the bundle begin with `mfa_`.
const sender = new FetchAdapter();
const httpAdapter = {
  request(options) {
    const { refreshToken } = options.body ?? {};
    const path = refreshToken && !refreshToken.startsWith('mfa_') ? '/renew' : options.url;
    return sender.request({ ...options, url: (path.startsWith('/auth/') ? MFA : APP) + path });
  },
};
const client = new AuthClient({
  baseUrl: '',
  endpoints: { login: '/login' },
  storage: new MemoryStorage(),
  httpAdapter,
});
// After a 401, it renews the token and tries once more.
const fetchAsUser = client.attachToFetch();

async function showTransfers() {
  const answer = await fetchAsUser(`${APP}/transfers`);
  console.log(`GET /transfers: ${answer.status} ${await answer.text()}`);
}

await client.login({ credentials });
await showTransfers();

const { isEnabled } = await client.getMfaStatus();
if (isEnabled) throw new Error('This user has an authenticator from an earlier run. Start the bundle again');

const { secret } = await client.setupTotp({ deviceName: 'Phone' });
const authenticator = new TOTP({ secret });
await client.verifyTotpSetup({ secret, otp: authenticator.generate() });
await client.toggleMfa({ enabled: true });
console.log('MFA is on');
await showTransfers();

// A code works once, and the set-up used this one. The next one is accepted up to 30 seconds early.
const otp = authenticator.generate({ timestamp: Date.now() + 30_000 });
await client.verify2fa({ method: 'totp', otp });
console.log('The second factor is passed');
await showTransfers();

await client.refresh();
console.log('The session is renewed');
await showTransfers();
process.exit(); // the client keeps timers of a minute
