import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openPurser } from '../../src/purser/open-purser.ts'
import { type AuthorizationServer, openAuthorizationServer } from '../support/authorization-server.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { type GuardedServer, openGuardedServer } from '../support/guarded-server.ts'
import { createRandom } from '../support/interleaving-scheduler.ts'

/*
 * Refresh tokens of several processes on one store, also after SIGKILL between sending a refresh and storing its
 * response.
 */

const HOUR_MS = 3_600_000
const CHILD = join(import.meta.dirname, 'oauth-child.ts')
const folder = mkdtempSync(join(tmpdir(), 'purser-authorization-'))
const secretKey = randomBytes(32).toString('base64')
let authorization: AuthorizationServer
let server: GuardedServer

before(async () => {
  authorization = await openAuthorizationServer()
  server = await openGuardedServer(authorization)
})
after(async () => {
  await server[Symbol.asyncDispose]()
  await authorization[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

interface Child {
  readonly process: ChildProcess
  /** The next line of its output; `exit` after the last. */
  nextLine(): Promise<string>
  /** Lets it start its calls. */
  start(): void
}

interface ChildOptions {
  readonly url?: string
  readonly repeat?: boolean
}

function spawnChild(path: string, aheadMs: number, { url = server.url, repeat = false }: ChildOptions = {}): Child {
  const flags = ['--conditions=@purser/source', CHILD, path, secretKey, url, authorization.issuer]
  const child = spawn(process.execPath, [...flags, String(aheadMs), ...(repeat ? ['repeat'] : [])], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const waiting: ((line: string) => void)[] = []
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) {
      const next = waiting.shift()
      if (next === undefined) lines.push(line)
      else next(line)
    }
  })
  let hasExited = false
  child.once('close', () => {
    hasExited = true
    for (const next of waiting) next('exit')
  })
  return {
    process: child,
    nextLine: async () => lines.shift() ?? (hasExited ? 'exit' : new Promise((resolve) => waiting.push(resolve))),
    start: () => child.stdin.write('start\n'),
  }
}

async function authorize(path: string, url = server.url): Promise<void> {
  await using purser = await openPurser({
    store: `sqlite:${path}`,
    secretKey,
    mcpServers: {
      wiki: { url, oauth: { redirectUrl: 'https://app.example/back', issuer: authorization.issuer } },
    },
  })
  const { runtime } = purser.user('ada')
  await runtime.completeMcp('wiki', await authorization.approve((await runtime.authorizeMcp('wiki')).url))
}

/** Codes and tokens contain `canary`. */
function assertNoTokenIn(path: string): void {
  for (const file of globSync(`${path}*`)) {
    assert.ok(!readFileSync(file).includes('canary'), `${file} contains a token`)
  }
}

test('two processes that find the token expired at the same time refresh it once', async () => {
  const path = join(folder, 'two.db')
  await authorize(path)
  authorization.expireAll()
  const before = authorization.refreshes
  const children = [spawnChild(path, HOUR_MS), spawnChild(path, HOUR_MS)]
  await Promise.all(children.map((child) => child.nextLine()))
  const bothCalling = Promise.withResolvers<void>()
  authorization.behavior.onRefresh = () => bothCalling.promise
  for (const child of children) child.start()
  assert.deepEqual(await Promise.all(children.map((child) => child.nextLine())), ['calling', 'calling'])
  bothCalling.resolve()
  assert.deepEqual(await Promise.all(children.map((child) => child.nextLine())), ['done', 'done'])
  await Promise.all(children.map((child) => child.process.exitCode ?? once(child.process, 'exit')))
  assert.equal(authorization.refreshes - before, 1)
  assert.equal(authorization.reuses, 0)
  assertNoTokenIn(path)
})

test('the refresh token of a process that is killed between sending and storing is not sent again', async () => {
  const path = join(folder, 'killed.db')
  await authorize(path)
  authorization.expireAll()
  const before = authorization.refreshes
  const first = spawnChild(path, HOUR_MS)
  await first.nextLine()
  const killed = once(first.process, 'exit')
  authorization.behavior.onRefresh = async () => {
    first.process.kill('SIGKILL')
    await killed
  }
  first.start()
  await killed
  // The claim has expired on the clock of the next process, and also on that of one that starts an hour later.
  for (const aheadMs of [HOUR_MS + 20_000, 2 * HOUR_MS]) {
    const next = spawnChild(path, aheadMs)
    await next.nextLine()
    next.start()
    assert.equal(await next.nextLine(), 'calling')
    assert.equal(await next.nextLine(), 'authorization_required')
    await (next.process.exitCode ?? once(next.process, 'exit'))
  }
  assert.equal(authorization.refreshes - before, 1)
  assert.equal(authorization.reuses, 0)
  authorization.behavior.onRefresh = () => undefined
  await authorize(path)
  const last = spawnChild(path, 0)
  await last.nextLine()
  last.start()
  assert.equal(await last.nextLine(), 'calling')
  assert.equal(await last.nextLine(), 'done')
  await (last.process.exitCode ?? once(last.process, 'exit'))
  assertNoTokenIn(path)
})

test('no refresh token is sent twice by two processes that refresh repeatedly and are killed at random moments', async (t) => {
  printSeed('kills')
  const random = createRandom(seed)
  const path = join(folder, 'any-moment.db')
  // A token is accepted for 60 requests, so that refreshes are frequent.
  const uses = new Map<string, number>()
  const isActive = (token: string): boolean => {
    uses.set(token, (uses.get(token) ?? 0) + 1)
    return authorization.isActive(token) && (uses.get(token) ?? 0) <= 60
  }
  const { issuer } = authorization
  await using demandingServer = await openGuardedServer({ issuer, isActive })
  const { url } = demandingServer
  await authorize(path, url)
  const before = authorization.refreshes
  let lostAuthorizations = 0
  let children: Child[] = []
  /** Kills both: a single survivor would wait until the claim of the other expires, as a test above shows. */
  const killBoth = (probability: number): void => {
    if (random.happens(probability)) for (const child of children) child.process.kill('SIGKILL')
  }
  authorization.behavior.intercept = (request) => {
    if (request.url === '/token') killBoth(0.15)
    return false
  }
  authorization.behavior.onRefresh = () => killBoth(0.15)
  for (let round = 1; round <= rounds(40, 3); round++) {
    // Claims of the previous round have expired on the clock of this one.
    children = [1, 2].map(() => spawnChild(path, HOUR_MS + round * 20_000, { url, repeat: true }))
    await Promise.all(children.map((child) => child.nextLine()))
    for (const child of children) child.start()
    const calls = 2 + random.below(20)
    const endings = await Promise.all(children.map((child) => lastLineOf(child, calls)))
    // `token_refused`: the other process used all 60 requests before this one sent its first.
    assert.ok(
      endings.every((line) => ['calling', 'done', 'authorization_required', 'token_refused'].includes(line)),
      endings.join(),
    )
    assert.equal(authorization.reuses, 0, `round ${round}`)
    if (!endings.includes('authorization_required')) continue
    lostAuthorizations++
    await authorize(path, url)
  }
  authorization.behavior.intercept = () => false
  authorization.behavior.onRefresh = () => undefined
  t.diagnostic(
    `${authorization.refreshes - before} refreshes, ${lostAuthorizations} authorizations lost with their process`,
  )
  assert.ok(authorization.refreshes > before)
  assertNoTokenIn(path)
})

/** The last line of a child before it was killed: by the server, or here after so many lines. */
async function lastLineOf(child: Child, maxLines: number): Promise<string> {
  let last = 'calling'
  for (let count = 0; count <= maxLines; count++) {
    const line = await child.nextLine()
    if (line === 'exit') return last
    last = line
  }
  child.process.kill('SIGKILL')
  while ((await child.nextLine()) !== 'exit');
  return last
}
