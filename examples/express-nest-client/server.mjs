// The application. It signs people in with a password, and shows transfers only to people who also
// passed a second factor at the MFA bundle.
import { randomUUID } from 'node:crypto';
import express from 'express';
import { SignJWT, jwtVerify } from 'jose';

const { JWT_SECRET = '', PORT = 3000 } = process.env;
if (JWT_SECRET.length < 32) throw new Error('JWT_SECRET must have at least 32 characters');
const secret = new TextEncoder().encode(JWT_SECRET);

// Stand in for the database of an application, which has hashes in place of passwords.
const users = new Map([
  ['alice@example.com', { id: 'alice', password: 'correct horse' }],
  ['bob@example.com', { id: 'bob', password: 'battery staple' }],
]);
const logins = new Map(); // the claims of a login, by its refresh token

async function tokensOf(login) {
  const refreshToken = randomUUID();
  logins.set(refreshToken, login);
  const accessToken = await new SignJWT({ ...login, type: 'access' })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime('5 minutes')
    .sign(secret);
  return { accessToken, refreshToken };
}

function refuse(response, code, error) {
  response.status(401).set('www-authenticate', `Bearer error="${error}"`).json({ code });
}

// The README says what each check is for.
async function requireSecondFactor(request, response, next) {
  const token = request.get('authorization')?.replace(/^Bearer /i, '') ?? '';
  const claims = await jwtVerify(token, secret, { algorithms: ['HS256'], requiredClaims: ['exp'] })
    .then(({ payload }) => payload, () => undefined);
  if (claims?.type !== 'access') return refuse(response, 'INVALID_TOKEN', 'invalid_token');
  if (claims.isMfaVerified !== true || !claims.mfa) {
    return refuse(response, 'MFA_REQUIRED', 'insufficient_user_authentication'); // RFC 9470
  }
  request.user = claims.sub;
  next();
}

const app = express();
app.use(express.json());

app.post('/login', async (request, response) => {
  const { email, password } = request.body?.credentials ?? {};
  const user = users.get(email);
  if (!user || user.password !== password) return response.status(401).json({ code: 'INVALID_CREDENTIALS' });
  response.json(await tokensOf({ sub: user.id, email, sessionId: randomUUID() }));
});

app.post('/renew', async (request, response) => {
  const { refreshToken } = request.body ?? {};
  const login = logins.get(refreshToken);
  if (!logins.delete(refreshToken)) return response.status(401).json({ code: 'REFRESH_TOKEN_INVALID' });
  // The sessionId must stay the same. With another one, the bundle sees another login, to which the
  // codes and set-ups of the first do not belong.
  response.json(await tokensOf(login));
});

app.get('/transfers', requireSecondFactor, (request, response) => {
  response.json([{ from: request.user, to: 'savings', amount: 100 }]);
});

const server = app.listen(PORT, '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`Serving the application at http://127.0.0.1:${server.address().port}`);
});
