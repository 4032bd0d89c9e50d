// An OpenID provider for tests: oidc-provider with the device flow, JWTs as access tokens, and
// rotating refresh tokens, all in memory. What is below /rig/ is the tests' own.

import { createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';

const CLIENT = 'dotdo-cli';
const RESOURCE = 'urn:dotdo';
const SCOPES = 'dotdo:read dotdo:write dotdo:history dotdo:admin dotdo:operator';
const POLL = 'urn:ietf:params:oauth:grant-type:device_code';

/** What tests can change while it runs. */
const settings = {
  // The algorithm and the audience of access tokens.
  alg: 'RS256',
  audience: 'urn:dotdo',
  accessSeconds: 600,
  deviceSeconds: 600,
  // Seconds between two polls; without, clients have to take 5.
  interval: 1,
  // How many of the next polls are answered `slow_down`.
  slowDowns: 0,
  // How many of the next requests to an endpoint are answered 503, by its path.
  failures: {},
  // The scopes that an approval grants, when the client asks for none of them.
  granted: '',
};

/** How often each endpoint was asked, and polls that came before their time. */
const asked = { early: 0 };
/** The claims of each account's access tokens. */
const accounts = new Map();
/** When each device code may be polled again, and how long its client waits between polls. */
const polls = new Map();
/** What has been issued, and for a while what has expired; the same for all key sets. */
const adapter = createMemoryAdapter(60);

const server = createServer((request, response) => {
  const route = request.url.startsWith('/rig/') ? rig : provider.callback();
  route(request, response);
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

let keys = newKeys();
let provider = newProvider();
console.error(`listening ${issuer}`);

/** A key of each algorithm. */
function newKeys() {
  const kinds = [
    ['RS256', 'rsa', { modulusLength: 2048 }],
    ['ES256', 'ec', { namedCurve: 'P-256' }],
    ['EdDSA', 'ed25519', {}],
  ];
  return kinds.map(([alg, kind, options]) => {
    const { privateKey } = generateKeyPairSync(kind, options);
    const kid = `${alg}-${randomUUID()}`;
    return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid };
  });
}

/** A token with these parts; its header may lie about how it is signed. */
function signed(alg, header, claims) {
  const jwk = keys.find((key) => key.alg === alg);
  const parts = [{ alg, kid: jwk.kid, typ: 'at+jwt', ...header }, claims];
  const text = parts
    .map((part) => Buffer.from(JSON.stringify(withoutNulls(part))).toString('base64url'))
    .join('.');
  const key = { key: createPrivateKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
  const signature = sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(text), key);
  return `${text}.${signature.toString('base64url')}`;
}

/** The provider with the current keys. */
function newProvider() {
  const made = new Provider(issuer, {
    adapter,
    clientDefaults: { id_token_signed_response_alg: 'RS256' },
    clients: [{
      client_id: CLIENT,
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: [POLL, 'refresh_token'],
      response_types: [],
      redirect_uris: [],
    }],
    clockTolerance: 0,
    cookies: { keys: ['tests'] },
    extraTokenClaims: (_, token) => accounts.get(token.accountId),
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          audience: settings.audience,
          scope: SCOPES,
          accessTokenFormat: 'jwt',
          accessTokenTTL: settings.accessSeconds,
          jwt: { sign: { alg: settings.alg } },
        }),
      },
      revocation: {
        enabled: true,
        allowedPolicy: (_, client, token) => client.clientId === token.clientId,
      },
    },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    issueRefreshToken: (_, client, source) =>
      client.grantTypeAllowed('refresh_token') && source.scopes.has('offline_access'),
    jwks: { keys },
    rotateRefreshToken: true,
    scopes: ['openid', 'offline_access'],
    ttl: {
      AccessToken: (_, token) => token.resourceServer?.accessTokenTTL ?? settings.accessSeconds,
      DeviceCode: () => settings.deviceSeconds,
      Grant: 86400,
      IdToken: 600,
      RefreshToken: 86400,
    },
  });
  made.use(misbehave);
  return made;
}

/** Counts requests, and answers some as a provider in trouble does. */
async function misbehave(ctx, next) {
  asked[ctx.path] = (asked[ctx.path] ?? 0) + 1;
  if (settings.failures[ctx.path] > 0) {
    settings.failures[ctx.path] -= 1;
    ctx.status = 503;
    ctx.body = 'in trouble';
    return;
  }
  await next();
  if (ctx.path === '/device/auth' && ctx.body?.device_code && settings.interval) {
    ctx.body.interval = settings.interval;
  }
  if (ctx.path === '/token' && ctx.body?.error === 'authorization_pending') pace(ctx);
}

/** Says `slow_down` when told to, and notes polls that come before their time (RFC 8628, 3.5). */
function pace(ctx) {
  const code = ctx.oidc.params.device_code;
  const poll = polls.get(code) ?? { seconds: settings.interval || 5, next: 0 };
  if (Date.now() < poll.next) asked.early += 1;
  if (settings.slowDowns > 0) {
    settings.slowDowns -= 1;
    poll.seconds += 5;
    ctx.body = { error: 'slow_down', error_description: 'polls come too often' };
  }
  poll.next = Date.now() + poll.seconds * 1000;
  polls.set(code, poll);
}

/** What the tests' own routes do; each takes and returns JSON. */
const routes = {
  /** Changes settings. */
  async settings(changes) {
    Object.assign(settings, changes);
  },
  /** How often each endpoint was asked. */
  async asked() {
    return asked;
  },
  /** Signs any claims and header, with `null` for what is usual and to be absent. */
  async token({ claims, header = {}, alg = settings.alg }) {
    const now = Math.floor(Date.now() / 1000);
    const usual = { iss: issuer, sub: 'somebody', aud: settings.audience };
    const times = { iat: now, exp: now + settings.accessSeconds };
    return { token: signed(alg, header, { ...usual, ...times, ...claims }) };
  },
  /** Signs with new keys from now on, and forgets the old ones. */
  async rotate() {
    keys = newKeys();
    provider = newProvider();
  },
  /** Approves a device as an account, whose access tokens get `claims`. */
  async approve({ userCode, account, claims }) {
    const code = await pending(userCode);
    accounts.set(account, claims);
    const wanted = (code.params.scope ?? '').split(' ');
    const ours = wanted.filter((scope) => SCOPES.split(' ').includes(scope)).join(' ');
    const scopes = ours || settings.granted;
    const grant = new provider.Grant({ accountId: account, clientId: code.clientId });
    grant.addOIDCScope(wanted.filter((scope) => !ours.includes(scope)).join(' '));
    if (scopes) grant.addResourceScope(RESOURCE, scopes);
    Object.assign(code, {
      accountId: account,
      authTime: Math.floor(Date.now() / 1000),
      grantId: await grant.save(),
      resource: RESOURCE,
      scope: [...wanted, ...scopes.split(' ')].filter(Boolean).join(' '),
    });
    await code.save();
  },
  /** Refuses a device. */
  async deny({ userCode }) {
    const code = await pending(userCode);
    Object.assign(code, { error: 'access_denied', errorDescription: 'the user said no' });
    await code.save();
  },
};

function withoutNulls(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

/** The device code that waits for its user. */
async function pending(userCode) {
  const code = await provider.DeviceCode.findByUserCode(userCode.replace(/\W/g, ''));
  if (!code) throw new Error(`no device has the user code ${userCode}`);
  return code;
}

/** Runs one of the routes. */
async function rig(request, response) {
  try {
    const parts = [];
    for await (const part of request) parts.push(part);
    const route = routes[request.url.slice('/rig/'.length)];
    const answer = await route(JSON.parse(Buffer.concat(parts).toString() || '{}'));
    response.end(JSON.stringify(answer ?? {}));
  } catch (error) {
    response.statusCode = 500;
    response.end(error.stack);
  }
}
