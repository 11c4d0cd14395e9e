import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openPurser } from '../../src/purser.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { chanceOf } from '../support/interleaving-scheduler.ts'
import { type AuthorizationServer, startAuthorizationServer } from './authorization-server.ts'
import { type GuardedServer, startGuardedServer } from './guarded-server.ts'

/* R17 between processes that share one file, and after kill -9 between sending a refresh and storing its answer. */

const HOUR = 3_600_000
const CHILD = join(import.meta.dirname, 'oauth-child.ts')
const folder = mkdtempSync(join(tmpdir(), 'purser-authorization-'))
const secretKey = randomBytes(32).toString('base64')
let authorization: AuthorizationServer
let server: GuardedServer

before(async () => {
  authorization = await startAuthorizationServer()
  server = await startGuardedServer(authorization)
})
after(async () => {
  await server.close()
  await authorization.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Child {
  readonly process: ChildProcess
  /** The next line it says; `exit` when it will say no more. */
  said(): Promise<string>
  go(): void
}

function start(path: string, aheadMs: number, { url = server.url, on }: { url?: string; on?: 'on' } = {}): Child {
  const flags = ['--conditions=@purser/source', CHILD, path, secretKey, url, authorization.issuer]
  const child = spawn(process.execPath, [...flags, String(aheadMs), ...(on ? [on] : [])], {
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
  let isOver = false
  child.once('close', () => {
    isOver = true
    for (const next of waiting) next('exit')
  })
  return {
    process: child,
    said: async () => lines.shift() ?? (isOver ? 'exit' : new Promise((resolve) => waiting.push(resolve))),
    go: () => child.stdin.write('go\n'),
  }
}

async function authorized(path: string, url = server.url): Promise<void> {
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

function requireNoTokenIn(path: string): void {
  for (const file of globSync(`${path}*`)) {
    assert.ok(!readFileSync(file).includes('canary'), `${file} shows a token`)
  }
}

test('R17: two processes that find the token over at the same time refresh it once', async () => {
  const path = join(folder, 'two.db')
  await authorized(path)
  authorization.expireAll()
  const before = authorization.refreshes
  const children = [start(path, HOUR), start(path, HOUR)]
  await Promise.all(children.map((child) => child.said()))
  const asking = Promise.withResolvers<void>()
  authorization.behaviour.onRefresh = () => asking.promise
  for (const child of children) child.go()
  assert.deepEqual(await Promise.all(children.map((child) => child.said())), ['asking', 'asking'])
  asking.resolve()
  assert.deepEqual(await Promise.all(children.map((child) => child.said())), ['done', 'done'])
  await Promise.all(children.map((child) => child.process.exitCode ?? once(child.process, 'exit')))
  assert.equal(authorization.refreshes - before, 1)
  assert.equal(authorization.reuses, 0)
  requireNoTokenIn(path)
})

test('R17: a process that is killed between sending and storing takes the token with it: it is not sent again', async () => {
  const path = join(folder, 'killed.db')
  await authorized(path)
  authorization.expireAll()
  const before = authorization.refreshes
  const first = start(path, HOUR)
  await first.said()
  const killed = once(first.process, 'exit')
  authorization.behaviour.onRefresh = async () => {
    first.process.kill('SIGKILL')
    await killed
  }
  first.go()
  await killed
  // Its claim has run out by the clock of the next process, and once more by that of one that begins an hour later.
  for (const aheadMs of [HOUR + 20_000, 2 * HOUR]) {
    const next = start(path, aheadMs)
    await next.said()
    next.go()
    assert.equal(await next.said(), 'asking')
    assert.equal(await next.said(), 'authorization_required')
    await (next.process.exitCode ?? once(next.process, 'exit'))
  }
  assert.equal(authorization.refreshes - before, 1)
  assert.equal(authorization.reuses, 0)
  authorization.behaviour.onRefresh = () => undefined
  await authorized(path)
  const last = start(path, 0)
  await last.said()
  last.go()
  assert.equal(await last.said(), 'asking')
  assert.equal(await last.said(), 'done')
  await (last.process.exitCode ?? once(last.process, 'exit'))
  requireNoTokenIn(path)
})

test('R17: killed at any moment, while two processes refresh again and again, none ever sends a token twice', async (t) => {
  printSeed('kills')
  const chance = chanceOf(seed)
  const path = join(folder, 'any-moment.db')
  // Tokens that are good for sixty requests, so that there is always one to be renewed soon.
  const uses = new Map<string, number>()
  const isActive = (token: string): boolean => {
    uses.set(token, (uses.get(token) ?? 0) + 1)
    return authorization.isActive(token) && (uses.get(token) ?? 0) <= 60
  }
  const { issuer } = authorization
  const demanding = await startGuardedServer({ issuer, isActive })
  t.after(() => demanding.close())
  const { url } = demanding
  await authorized(path, url)
  const before = authorization.refreshes
  let lost = 0
  let children: Child[] = []
  /** Both: one that is left would wait until it may count the other as dead, as a test beside this one shows. */
  const killBoth = (probability: number): void => {
    if (chance.may(probability)) for (const child of children) child.process.kill('SIGKILL')
  }
  authorization.behaviour.instead = (request) => {
    if (request.url === '/token') killBoth(0.15)
    return false
  }
  authorization.behaviour.onRefresh = () => killBoth(0.15)
  for (let round = 1; round <= rounds(40, 3); round++) {
    // Claims of the round before have run out by the clock of this one.
    children = [1, 2].map(() => start(path, HOUR + round * 20_000, { url, on: 'on' }))
    await Promise.all(children.map((child) => child.said()))
    for (const child of children) child.go()
    const calls = 2 + chance.below(20)
    const ended = await Promise.all(children.map((child) => lastWordOf(child, calls)))
    // `token_refused`: the other process has used all sixty before this one came to its first.
    assert.ok(
      ended.every((word) => ['asking', 'done', 'authorization_required', 'token_refused'].includes(word)),
      ended.join(),
    )
    assert.equal(authorization.reuses, 0, `round ${round}`)
    if (!ended.includes('authorization_required')) continue
    lost++
    await authorized(path, url)
  }
  authorization.behaviour.instead = () => false
  authorization.behaviour.onRefresh = () => undefined
  t.diagnostic(`${authorization.refreshes - before} refreshes, ${lost} authorizations lost with their process`)
  assert.ok(authorization.refreshes > before)
  requireNoTokenIn(path)
})

/** What a child said last, before it was killed: by somebody else, or here after so many calls. */
async function lastWordOf(child: Child, calls: number): Promise<string> {
  let last = 'asking'
  for (let call = 0; call <= calls; call++) {
    const word = await child.said()
    if (word === 'exit') return last
    last = word
  }
  child.process.kill('SIGKILL')
  while ((await child.said()) !== 'exit');
  return last
}
