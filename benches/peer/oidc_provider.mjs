// npm oidc-provider 9 on the steps that `benches/load/signins.rs` measures ours on: client_credentials tokens (JWT,
// ES256, client_secret_basic) and code flows with PKCE for a session that is there, without pages.
//
//   npm install oidc-provider@9 && node oidc_provider.mjs [SECONDS]
//
// The provider runs in a process of its own, whose processor time counts; this one drives it. It keeps everything in
// memory: a fast bar, not a fair one.
import { fork } from 'node:child_process'
import crypto from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'

const PORT = 8765
const ISSUER = `http://localhost:${PORT}`
const SECRET = 'a-secret-of-forty-three-characters-or-so-ok'
const CALLBACK = 'https://portal.example/callback'
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'

async function serve() {
  const { default: Provider } = await import('oidc-provider')
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
  })
  provider.listen(PORT, async () => {
    // Sessions that are there, one for each browser.
    const cookies = []
    for (let i = 0; i < 16; i++) {
      const session = new provider.Session({ accountId: `citizen-${i}`, loginTs: Math.floor(Date.now() / 1000) })
      await session.save(3600)
      cookies.push(`_session=${session.jti}`)
    }
    process.send({ cookies })
  })
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
function ask(method, path, headers = {}, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, host: '127.0.0.1', port: PORT, method, path, headers: { host: `localhost:${PORT}`, ...headers } }, (answer) => {
      const parts = []
      answer.on('data', (part) => parts.push(part))
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts).toString() }))
    })
    request.on('error', reject)
    request.end(body)
  })
}

const basic = `Basic ${Buffer.from(`portal:${SECRET}`).toString('base64')}`
const post = (path, form) => ask('POST', path, { authorization: basic, 'content-type': 'application/x-www-form-urlencoded' }, new URLSearchParams(form).toString())
const ticks = (pid) => { const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' '); return (Number(stat[11]) + Number(stat[12])) / 100 }

async function measured(name, pid, seconds, clients, step) {
  const from = ticks(pid), until = Date.now() + seconds * 1000
  let done = 0
  await Promise.all(Array.from({ length: clients }, async (_, i) => { while (Date.now() < until) { await step(i); done++ } }))
  const cpu = ticks(pid) - from
  console.log(`${name}: ${(done / seconds).toFixed(0)}/s on the wall, ${(done / cpu).toFixed(0)} per CPU-second`)
}

async function drive() {
  const seconds = Number(process.argv[2] ?? 3)
  const child = fork(process.argv[1], ['--serve'])
  const { cookies } = await new Promise((resolve) => child.once('message', resolve))
  await measured('client_credentials tokens', child.pid, seconds, 32, async () => {
    const answer = await post('/token', { grant_type: 'client_credentials', scope: 'api' })
    if (answer.status !== 200) throw new Error(answer.body)
  })
  const challenge = crypto.createHash('sha256').update(VERIFIER).digest('base64url')
  const query = new URLSearchParams({ client_id: 'portal', redirect_uri: CALLBACK, response_type: 'code', scope: 'openid profile', prompt: 'none', code_challenge: challenge, code_challenge_method: 'S256' })
  await measured('code flows', child.pid, seconds, 16, async (i) => {
    const answer = await ask('GET', `/auth?${query}`, { cookie: cookies[i] })
    const code = new URL(answer.headers.location).searchParams.get('code')
    if (!code) throw new Error(answer.headers.location)
    const tokens = await post('/token', { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: VERIFIER })
    if (tokens.status !== 200) throw new Error(tokens.body)
  })
  child.kill()
  agent.destroy()
}

if (process.argv[2] === '--serve') await serve()
else await drive()
