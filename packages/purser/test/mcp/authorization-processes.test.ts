import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openPurser } from '../../src/open.ts'
import { type AuthorizationServer, startAuthorizationServer } from './authorization-server.ts'
import { type GuardedServer, startGuardedServer } from './guarded-server.ts'

/* R17 between processes that share one file, and after kill -9 between sending a refresh and storing its answer. */

const HOUR = 3_600_000
const CHILD = join(import.meta.dirname, 'authorization-child.ts')
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
  /** The next line it says. */
  said(): Promise<string>
  go(): void
}

function start(path: string, aheadMs: number): Child {
  const flags = ['--conditions=@purser/source', CHILD, path, secretKey, server.url, authorization.issuer]
  const child = spawn(process.execPath, [...flags, String(aheadMs)], { stdio: ['pipe', 'pipe', 'inherit'] })
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
  return {
    process: child,
    said: async () => lines.shift() ?? new Promise((resolve) => waiting.push(resolve)),
    go: () => child.stdin.write('go\n'),
  }
}

async function authorized(path: string): Promise<void> {
  await using purser = await openPurser({
    store: `sqlite:${path}`,
    secretKey,
    mcpServers: {
      wiki: { url: server.url, oauth: { redirectUrl: 'https://app.example/back', issuer: authorization.issuer } },
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
