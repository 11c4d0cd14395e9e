import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import type { Client } from '@modelcontextprotocol/client'
import { systemEffects } from '../../src/core/effects.ts'
import { createTools } from '../../src/mcp/index.ts'
import type { McpServerOption } from '../../src/options.ts'
import type { ToolFactory } from '../../src/runtime/api.ts'
import { fails, type House, openHouse } from '../support/runtime-harness.ts'
import { type EverythingServer, overStdio, startEverything } from './everything.ts'

/*
 * Real servers, real sockets and real processes: time passes by itself here, and what has to come is waited for
 * by its own event.
 */

const tools: ToolFactory = createTools({ effects: systemEffects })
let server: EverythingServer

before(async () => {
  server = await startEverything()
})
after(() => server.kill())

const open = (mcpServers: Record<string, McpServerOption>, options: object = {}): Promise<House> =>
  openHouse({ mcpServers, tools, effects: systemEffects, options })

/** The process behind a client over stdio. */
function pidOf(client: Client): number {
  const { pid } = client.transport as unknown as { pid: number }
  return pid
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function textOf(call: ReturnType<Client['callTool']>): Promise<string> {
  const { content } = (await call) as { content: { text: string }[] }
  return content[0]?.text ?? ''
}

const echo = (client: Client, message: string): Promise<string> =>
  textOf(client.callTool({ name: 'echo', arguments: { message } }))
const longCall = (client: Client, seconds: number): ReturnType<Client['callTool']> =>
  client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: seconds, steps: 1 } })

test('over stdio each user has a process of their own, with exactly the environment that was configured', async () => {
  process.env.HOSTILE_KEY = 'must not leak'
  const house = await open({ child: { ...overStdio, env: { WHO: '{user}', TOKEN: '{secret.token}' } } })
  await Promise.all(['ada', 'bob'].map((id) => house.user(id).setSecret('child', { token: `token of ${id}` })))
  const pids = await Promise.all(
    ['ada', 'bob'].map(async (id) => {
      const lease = await house.user(id).acquire()
      const client = await lease.mcp('child')
      const seen = JSON.parse(await textOf(client.callTool({ name: 'get-env', arguments: {} })))
      assert.deepEqual(seen, { PATH: process.env.PATH, WHO: id, TOKEN: `token of ${id}` })
      lease.release()
      return pidOf(client)
    }),
  )
  delete process.env.HOSTILE_KEY
  assert.equal(new Set(pids).size, 2)
  assert.ok(pids.every(isAlive))
  await house.runtimes.close()
  assert.ok(!pids.some(isAlive))
})

test('over HTTP two users at once have sessions of their own, ended on the server when their clients close', async () => {
  const house = await open({ remote: { url: `${server.url}?user={user}` } })
  const leases = await Promise.all(['ada', 'bob'].map((id) => house.user(id).acquire()))
  const clients = await Promise.all(leases.map((lease) => lease.mcp('remote')))
  const sessions = clients.map((client) => client.transport?.sessionId ?? '')
  assert.equal(new Set(sessions).size, 2)
  await Promise.all(
    clients.flatMap((client, index) =>
      Array.from({ length: 20 }, async (_, call) => {
        assert.equal(await echo(client, `${index}-${call}`), `Echo: ${index}-${call}`)
      }),
    ),
  )
  for (const lease of leases) lease.release()
  await house.runtimes.close()
  for (const session of sessions) {
    assert.match(server.log(), new RegExp(`Received session termination request for session ${session}`))
  }
})

test('R16: a client or transport that is printed or turned into JSON shows no secret', async () => {
  const house = await open({
    remote: { url: `${server.url}?key={secret.token}`, headers: { 'x-key': '{secret.token}' } },
    child: { ...overStdio, env: { KEY: '{secret.token}' } },
  })
  const lease = await house.user('ada').acquire()
  for (const name of ['remote', 'child']) {
    await house.user('ada').setSecret(name, { token: 'canary' })
    const client = await lease.mcp(name)
    for (const shown of [client, { deep: [client.transport] }, lease, house.runtimes.active()]) {
      assert.doesNotMatch(inspect(shown, { depth: 12, showHidden: true }), /canary/)
      assert.doesNotMatch(JSON.stringify(shown), /canary/)
    }
  }
  lease.release()
  await house.runtimes.close()
})

test('closing a leased client by hand does nothing, and connecting it again is refused', async () => {
  const house = await open({ remote: { url: server.url } })
  const lease = await house.user('ada').acquire()
  const client = await lease.mcp('remote')
  await client.close()
  assert.equal(await echo(client, 'still here'), 'Echo: still here')
  await assert.rejects(client.connect(client.transport as never), /connected already/)
  assert.equal(await echo(client, 'still mine'), 'Echo: still mine')
  lease.release()
  await house.runtimes.close()
})

test('R18: a process that is killed in mid-call fails the call at once, and the next use starts another', async () => {
  const house = await open({ child: overStdio })
  const lease = await house.user('ada').acquire()
  const client = await lease.mcp('child')
  const call = assert.rejects(longCall(client, 60), /closed/i)
  process.kill(pidOf(client), 'SIGKILL')
  await call
  const next = await lease.mcp('child')
  assert.equal(await echo(next, 'again'), 'Echo: again')
  const pid = pidOf(next)
  lease.release()
  await house.runtimes.close()
  assert.ok(!isAlive(pid))
})

test('R18: a server that is killed in mid-call fails the call, and the client is found anew when it is back', async () => {
  const own = await startEverything()
  const house = await open({ remote: { url: own.url } })
  const lease = await house.user('ada').acquire()
  const progress = Promise.withResolvers<void>()
  const client = await lease.mcp('remote')
  const call = assert.rejects(
    client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 600 } },
      { onprogress: () => progress.resolve() },
    ),
  )
  await progress.promise
  await own.kill()
  await call
  await assert.rejects(lease.mcp('remote'), fails('mcp_unavailable'))
  lease.release()
  await house.runtimes.close({ timeoutMs: 0 })
})

test('R18: a session that the server has forgotten discards the client, and the next use has a new session', async () => {
  const house = await open({ remote: { url: server.url } })
  const lease = await house.user('ada').acquire()
  const client = await lease.mcp('remote')
  const session = client.transport?.sessionId ?? ''
  const ended = await fetch(server.url, { method: 'DELETE', headers: { 'mcp-session-id': session } })
  await ended.text()
  await assert.rejects(echo(client, 'lost'))
  const next = await lease.mcp('remote')
  assert.notEqual(next.transport?.sessionId, session)
  assert.equal(await echo(next, 'found'), 'Echo: found')
  lease.release()
  await house.runtimes.close()
})

test('R18: a call that was cancelled or timed out discards the client, and others on it finish', async () => {
  const house = await open({ remote: { url: server.url }, child: overStdio })
  const pids: number[] = []
  for (const name of ['remote', 'child']) {
    for (const how of ['cancel', 'time out'] as const) {
      const lease = await house.user('ada').acquire()
      const client = await lease.mcp(name)
      if (name === 'child') pids.push(pidOf(client))
      const beside = longCall(client, 0.5)
      const abort = new AbortController()
      const running = Promise.withResolvers<void>()
      const call = client.callTool(
        { name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 600 } },
        { onprogress: () => running.resolve(), ...(how === 'cancel' ? { signal: abort.signal } : { timeout: 300 }) },
      )
      call.catch(() => undefined)
      await running.promise
      abort.abort(new Error('stopped by hand'))
      await assert.rejects(call, how === 'cancel' ? /stopped by hand/ : /timed out/i)
      const next = await lease.mcp(name)
      assert.notEqual(next, client)
      assert.match(await textOf(beside), /completed/)
      assert.equal(await echo(next, 'fresh'), 'Echo: fresh')
      lease.release()
    }
  }
  await house.runtimes.close()
  assert.equal(pids.length, 2)
  assert.ok(!pids.some(isAlive))
})

test('R4: idle eviction during a long call waits for its lease', async () => {
  const house = await open({ child: overStdio }, { idleMs: 0, mcpIdleMs: 0 })
  const lease = await house.user('ada').acquire()
  const client = await lease.mcp('child')
  const pid = pidOf(client)
  const call = longCall(client, 0.5)
  assert.deepEqual(await house.runtimes.sweep(), { evicted: 0 })
  await house.user('ada').evict()
  assert.match(await textOf(call), /completed/)
  assert.ok(isAlive(pid))
  lease.release()
  await house.runtimes.close()
  assert.ok(!isAlive(pid))
})

test('a server that cannot be started or reached is mcp_unavailable, tells its last words, and no secret', async () => {
  const house = await open({
    missing: { command: '/nonexistent/program' },
    failing: {
      command: process.execPath,
      args: ['-e', 'console.error("no such key: " + process.env.TOKEN); process.exit(1)'],
      env: { TOKEN: '{secret.token}' },
    },
    refused: { url: 'http://127.0.0.1:1/mcp?key={secret.token}', headers: { authorization: 'Bearer {secret.token}' } },
  })
  const user = house.user('ada')
  for (const name of ['failing', 'refused']) await user.setSecret(name, { token: 'canary/1' })
  const lease = await user.acquire()
  for (const name of ['missing', 'failing', 'refused']) {
    const error: Error & { code?: string } = await lease.mcp(name).then(
      () => assert.fail('It connected.'),
      (reason) => reason,
    )
    assert.equal(error.code, 'mcp_unavailable')
    const told = `${error.stack} ${(error.cause as Error).stack}`
    assert.doesNotMatch(told, /canary/)
    if (name === 'failing') assert.match(told, /no such key: \[redacted\]/)
  }
  lease.release()
  await house.runtimes.close()
})

test('R3: a child that ignores the end of its input and SIGTERM is killed, and no socket or child is left', async () => {
  const stubborn = `
    process.on('SIGTERM', () => {})
    setInterval(() => {}, 1000)
    await import(${JSON.stringify(overStdio.args[0])})
    process.stdin.on('end', () => {})
    process.exit = () => {}
  `
  const house = await open({
    child: { command: process.execPath, args: ['--input-type=module', '-e', stubborn, 'x', 'stdio'] },
  })
  const lease = await house.user('ada').acquire()
  const pid = pidOf(await lease.mcp('child'))
  lease.release()
  await house.runtimes.close()
  assert.ok(!isAlive(pid))
})
