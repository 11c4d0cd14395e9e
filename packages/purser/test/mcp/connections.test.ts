import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import type { Client } from '@modelcontextprotocol/client'
import { systemEffects } from '../../src/core/effects.ts'
import { createMcpConnector } from '../../src/mcp/index.ts'
import type { McpServerOption } from '../../src/options.ts'
import type { McpConnector } from '../../src/runtime/ports.ts'
import { EVERYTHING_OVER_STDIO, type EverythingServer, openEverythingServer } from '../support/everything-server.ts'
import { fails, openRuntimeHarness, type RuntimeHarness } from '../support/runtime-harness.ts'

/*
 * Real servers, sockets and processes, on the system clock: the tests await the events they need.
 */

const mcp: McpConnector = createMcpConnector({ effects: systemEffects })
let server: EverythingServer

before(async () => {
  server = await openEverythingServer()
})
after(() => server.kill())

const open = (mcpServers: Record<string, McpServerOption>, runtime: object = {}): Promise<RuntimeHarness> =>
  openRuntimeHarness({ mcpServers, mcp, effects: systemEffects, runtime })

/** The process behind a client over stdio. */
function getPid(client: Client): number {
  const { pid } = client.transport as unknown as { pid: number }
  return pid
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function getText(call: ReturnType<Client['callTool']>): Promise<string> {
  const { content } = (await call) as { content: { text: string }[] }
  return content[0]?.text ?? ''
}

const echo = (client: Client, message: string): Promise<string> =>
  getText(client.callTool({ name: 'echo', arguments: { message } }))
const longCall = (client: Client, seconds: number): ReturnType<Client['callTool']> =>
  client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: seconds, steps: 1 } })

test('over stdio each user has a process of their own, with exactly the configured environment', async () => {
  process.env.HOSTILE_KEY = 'must not leak'
  const harness = await open({
    child: { ...EVERYTHING_OVER_STDIO, env: { WHO: '{user}', TOKEN: '{secret.token}' } },
  })
  await Promise.all(['ada', 'bob'].map((id) => harness.user(id).setSecret('child', { token: `token of ${id}` })))
  const pids = await Promise.all(
    ['ada', 'bob'].map(async (id) => {
      const lease = await harness.user(id).acquire()
      const client = await lease.mcp('child')
      const environment = JSON.parse(await getText(client.callTool({ name: 'get-env', arguments: {} })))
      assert.deepEqual(environment, { PATH: process.env.PATH, WHO: id, TOKEN: `token of ${id}` })
      lease.release()
      return getPid(client)
    }),
  )
  delete process.env.HOSTILE_KEY
  assert.equal(new Set(pids).size, 2)
  assert.ok(pids.every(isRunning))
  await harness.runtimes.close()
  assert.ok(!pids.some(isRunning))
})

test('over HTTP concurrent users have sessions of their own, which end on the server when their clients close', async () => {
  const harness = await open({ remote: { url: `${server.url}?user={user}` } })
  const leases = await Promise.all(['ada', 'bob'].map((id) => harness.user(id).acquire()))
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
  await harness.runtimes.close()
  for (const session of sessions) {
    assert.match(server.output(), new RegExp(`Received session termination request for session ${session}`))
  }
})

test('a client or transport that is printed or turned into JSON shows no secret', async () => {
  const harness = await open({
    remote: { url: `${server.url}?key={secret.token}`, headers: { 'x-key': '{secret.token}' } },
    child: { ...EVERYTHING_OVER_STDIO, env: { KEY: '{secret.token}' } },
  })
  const lease = await harness.user('ada').acquire()
  for (const name of ['remote', 'child']) {
    await harness.user('ada').setSecret(name, { token: 'canary' })
    const client = await lease.mcp(name)
    for (const value of [client, { deep: [client.transport] }, lease, harness.runtimes.active()]) {
      assert.doesNotMatch(inspect(value, { depth: 12, showHidden: true }), /canary/)
      assert.doesNotMatch(JSON.stringify(value), /canary/)
    }
  }
  lease.release()
  await harness.runtimes.close()
})

test('closing a leased client has no effect, and connecting it again is rejected', async () => {
  const harness = await open({ remote: { url: server.url } })
  const lease = await harness.user('ada').acquire()
  const client = await lease.mcp('remote')
  await client.close()
  assert.equal(await echo(client, 'after close'), 'Echo: after close')
  await assert.rejects(client.connect(client.transport as never), /already connected/)
  assert.equal(await echo(client, 'after connect'), 'Echo: after connect')
  lease.release()
  await harness.runtimes.close()
})

test('a process that is killed during a call fails the call at once, and the next use starts another process', async () => {
  const harness = await open({ child: EVERYTHING_OVER_STDIO })
  const lease = await harness.user('ada').acquire()
  const client = await lease.mcp('child')
  const call = assert.rejects(longCall(client, 60), /closed/i)
  process.kill(getPid(client), 'SIGKILL')
  await call
  const next = await lease.mcp('child')
  assert.equal(await echo(next, 'again'), 'Echo: again')
  const pid = getPid(next)
  lease.release()
  await harness.runtimes.close()
  assert.ok(!isRunning(pid))
})

test('a server that is killed during a call fails the call, and is mcp_unavailable for the next use', async () => {
  const ownServer = await openEverythingServer()
  const harness = await open({ remote: { url: ownServer.url } })
  const lease = await harness.user('ada').acquire()
  const progress = Promise.withResolvers<void>()
  const client = await lease.mcp('remote')
  const call = assert.rejects(
    client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 600 } },
      { onprogress: () => progress.resolve() },
    ),
  )
  await progress.promise
  await ownServer.kill()
  await call
  await assert.rejects(lease.mcp('remote'), fails('mcp_unavailable'))
  lease.release()
  await harness.runtimes.close({ timeoutMs: 0 })
})

test('a call that was cancelled or timed out discards the client, and other calls on it finish', async () => {
  const harness = await open({ remote: { url: server.url }, child: EVERYTHING_OVER_STDIO })
  const pids: number[] = []
  for (const name of ['remote', 'child']) {
    for (const ending of ['cancel', 'timeout'] as const) {
      const lease = await harness.user('ada').acquire()
      const client = await lease.mcp(name)
      if (name === 'child') pids.push(getPid(client))
      const otherCall = longCall(client, 0.5)
      const abort = new AbortController()
      const running = Promise.withResolvers<void>()
      const call = client.callTool(
        { name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 600 } },
        { onprogress: () => running.resolve(), ...(ending === 'cancel' ? { signal: abort.signal } : { timeout: 300 }) },
      )
      call.catch(() => undefined)
      // A busy machine may reach the timeout before the first progress.
      if (ending === 'cancel') await running.promise
      abort.abort(new Error('cancelled by the test'))
      await assert.rejects(call, ending === 'cancel' ? /cancelled by the test/ : /timed out/i)
      const next = await lease.mcp(name)
      assert.notEqual(next, client)
      assert.match(await getText(otherCall), /completed/)
      assert.equal(await echo(next, 'fresh'), 'Echo: fresh')
      lease.release()
    }
  }
  await harness.runtimes.close()
  assert.equal(pids.length, 2)
  assert.ok(!pids.some(isRunning))
})

test('an idle eviction during a long call waits for its lease', async () => {
  const harness = await open({ child: EVERYTHING_OVER_STDIO }, { idleMs: 0, mcpIdleMs: 0 })
  const lease = await harness.user('ada').acquire()
  const client = await lease.mcp('child')
  const pid = getPid(client)
  const call = longCall(client, 0.5)
  assert.deepEqual(await harness.runtimes.sweep(), { evicted: 0 })
  await harness.user('ada').evict()
  assert.match(await getText(call), /completed/)
  assert.ok(isRunning(pid))
  lease.release()
  await harness.runtimes.close()
  assert.ok(!isRunning(pid))
})

test('a server that cannot be started or reached is mcp_unavailable, with its stderr and without secrets', async () => {
  const harness = await open({
    missing: { command: '/nonexistent/program' },
    failing: {
      command: process.execPath,
      args: ['-e', 'console.error("no such key: " + process.env.TOKEN); process.exit(1)'],
      env: { TOKEN: '{secret.token}' },
    },
    refused: { url: 'http://127.0.0.1:1/mcp?key={secret.token}', headers: { authorization: 'Bearer {secret.token}' } },
  })
  const user = harness.user('ada')
  for (const name of ['failing', 'refused']) await user.setSecret(name, { token: 'canary/1' })
  const lease = await user.acquire()
  for (const name of ['missing', 'failing', 'refused']) {
    const error: Error & { code?: string } = await lease.mcp(name).then(
      () => assert.fail('It connected.'),
      (reason) => reason,
    )
    assert.equal(error.code, 'mcp_unavailable')
    const printed = `${error.stack} ${(error.cause as Error).stack}`
    assert.doesNotMatch(printed, /canary/)
    if (name === 'failing') assert.match(printed, /no such key: \[redacted\]/)
  }
  lease.release()
  await harness.runtimes.close()
})

test('a child that ignores the end of its input and SIGTERM is killed', async () => {
  const stubborn = `
    process.on('SIGTERM', () => {})
    setInterval(() => {}, 1000)
    await import(${JSON.stringify(EVERYTHING_OVER_STDIO.args[0])})
    process.stdin.on('end', () => {})
    process.exit = () => {}
  `
  const harness = await open({
    child: { command: process.execPath, args: ['--input-type=module', '-e', stubborn, 'x', 'stdio'] },
  })
  const lease = await harness.user('ada').acquire()
  const pid = getPid(await lease.mcp('child'))
  lease.release()
  await harness.runtimes.close()
  assert.ok(!isRunning(pid))
})

/** A server as a program, which writes its pid to the file in `PIDFILE`. */
const SERVER_PROGRAM = `
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
writeFileSync(process.env.PIDFILE, String(process.pid))
if (process.env.STUBBORN) process.on('SIGTERM', () => {})
setInterval(() => {}, 1000)
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n')
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  const serverInfo = { name: 's', version: '1' }
  if (method === 'initialize') send({ id, result: { protocolVersion: params.protocolVersion, capabilities: {}, serverInfo } })
})
`

for (const [how, { wrapper, stubborn }] of Object.entries({
  'a shell that waits for it': { wrapper: '; true', stubborn: '' },
  'a shell that waits, and it ignores SIGTERM': { wrapper: '; true', stubborn: '1' },
  'two shells': { wrapper: ' & wait', stubborn: '' },
})) {
  test(`a server behind ${how} ends with its connection`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'purser-mcp-'))
    const file = join(folder, 'server.mjs')
    const pidFile = join(folder, 'pid')
    await writeFile(file, SERVER_PROGRAM)
    const env = { PIDFILE: pidFile, STUBBORN: stubborn }
    const args = ['-c', `exec 3<&0; "${process.execPath}" "${file}" <&3${wrapper}`]
    const harness = await open({ wrapped: { command: 'sh', args, env } })
    const lease = await harness.user('ada').acquire()
    const client = await lease.mcp('wrapped')
    const pid = Number(await readFile(pidFile, 'utf8'))
    assert.notEqual(getPid(client), pid, 'the wrapper is a process of its own')
    assert.ok(isRunning(pid))
    lease.release()
    await harness.runtimes.close()
    assert.ok(!isRunning(pid) || isZombie(await readFile(`/proc/${pid}/status`, 'utf8')))
    await rm(folder, { recursive: true })
  })
}

/** An orphan that has ended may wait for the init process. */
function isZombie(status: string): boolean {
  return /^State:\s+Z/m.test(status)
}
