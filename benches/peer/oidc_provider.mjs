// npm oidc-provider 9, served for `benches/load/peer.rs`, which installs it and drives it: client_credentials tokens (JWT,
// ES256, client_secret_basic) and code flows with PKCE for a session that is there, without pages. It says on its first line
// where it listens and under which cookies somebody is signed in. It keeps everything in memory: a fast bar, not a fair one.
import crypto from 'node:crypto'
import Provider from 'oidc-provider'

const PORT = Number(process.argv[2])
const ISSUER = `http://localhost:${PORT}`
const SECRET = process.argv[3]
const CALLBACK = 'https://portal.example/callback'
const BROWSERS = 16

const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
const resource = { scope: 'api', audience: ISSUER, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }
const provider = new Provider(ISSUER, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' }] },
  clients: [{ client_id: 'portal', client_secret: SECRET, redirect_uris: [CALLBACK], id_token_signed_response_alg: 'ES256', grant_types: ['authorization_code', 'client_credentials'] }],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: { enabled: true, defaultResource: () => `${ISSUER}/api`, useGrantedResource: () => true, getResourceServerInfo: () => resource },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  // Whoever asked before has agreed before.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
    grant.addOIDCScope('openid profile')
    grant.addResourceScope(`${ISSUER}/api`, 'api')
    await grant.save()
    return grant
  },
  interactions: { url: () => '/login' },
  ttl: { AccessToken: 600, AuthorizationCode: 60, ClientCredentials: 600, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
})
provider.listen(PORT, async () => {
  // Sessions that are there, one for each browser.
  const cookies = []
  for (let i = 0; i < BROWSERS; i++) {
    const session = new provider.Session({ accountId: `citizen-${i}`, loginTs: Math.floor(Date.now() / 1000) })
    await session.save(3600)
    cookies.push(`_session=${session.jti}`)
  }
  console.log(JSON.stringify({ cookies }))
})
