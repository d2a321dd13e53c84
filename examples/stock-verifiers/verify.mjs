// Shows each token to the verifiers of others: `node verify.mjs ISSUER AUDIENCE TOKEN…`. They know
// the bundle's issuer, and find its keys.
import { JwtVerifier } from 'aws-jwt-verify';
import { SimpleJwksCache } from 'aws-jwt-verify/jwk';
import express from 'express';
import { auth } from 'express-oauth2-jwt-bearer';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const [issuer, audience, ...tokens] = process.argv.slice(2);
const { jwks_uri: jwksUri } = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();

const keys = createRemoteJWKSet(new URL(jwksUri));
const byJose = (token) => jwtVerify(token, keys, { issuer, audience });

// The library's own fetcher takes https only, and this bundle is served without it.
const jwksCache = new SimpleJwksCache({ fetcher: { fetch: async (uri) => (await fetch(uri)).arrayBuffer() } });
const ofAws = JwtVerifier.create({ issuer, audience, jwksUri }, { jwksCache });
const byAws = (token) => ofAws.verify(token);

const app = express();
app.get('/', auth({ issuerBaseURL: issuer, audience }), (request, response) => response.end());
app.use((error, request, response, next) => response.status(error.status ?? 500).end(error.message));
const server = app.listen(0, '127.0.0.1');
async function byExpress(token) {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
}

const verifiers = { jose: byJose, 'aws-jwt-verify': byAws, 'express-oauth2-jwt-bearer': byExpress };
for (const [name, verify] of Object.entries(verifiers)) {
  for (const token of tokens) {
    const verdict = await verify(token).then(() => 'accepts', ({ message }) => `refuses: ${message}`);
    console.log(`${name} ${verdict}`);
  }
}
server.close();
