import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { rounds } from '../../../purser/test/support/fuzz-options.ts'
import { startChild } from '../../../purser/test/support/start-child.ts'
import { openServer } from '../../src/app/server.ts'
import { openWebhookReceiver, type ReceivedWebhook } from '../support/webhook-receiver.ts'

const PROGRAM = new URL('delivering-process.ts', import.meta.url)
const KILLS = rounds(1_000, 2)
const EVENTS_PER_PROCESS = 4

it(`a process that is killed between a request and its acknowledgement, ${KILLS} times, loses nothing`, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'purser-webhooks-'))
  const path = join(directory, 'purser.db')
  await using receiver = await openWebhookReceiver()
  try {
    await createWebhook(path, receiver.url)
    const ids: string[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      const child = startChild(PROGRAM, [path, String(EVENTS_PER_PROCESS)])
      const target = receiver.received.length + 1 + (kill % 3)
      receiver.answer = (response) => {
        if (receiver.received.length < target) response.writeHead(204).end()
        // Before the answer, or right after it.
        else if (kill % 2 === 0) child.process.kill('SIGKILL')
        else response.writeHead(204).end(() => child.process.kill('SIGKILL'))
      }
      ids.push(...(JSON.parse(await child.line()) as string[]))
      await child.exited
    }
    const last = startChild(PROGRAM, [path, '1'])
    receiver.answer = (response) => response.writeHead(204).end()
    ids.push(...(JSON.parse(await last.line()) as string[]))
    while (!ids.every((id) => receiver.received.some((webhook) => webhook.id === id)))
      await receiver.receive(receiver.received.length + 1)
    last.process.kill('SIGKILL')
    await last.exited
    checkReceived(receiver.received)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

async function createWebhook(path: string, url: string): Promise<void> {
  await using server = await openServer({
    config: { store: `sqlite:${path}`, server: { logLevel: 'silent', allowPrivateWebhooks: true } },
  })
  await server.context.webhooks.create({ url, types: ['app:seen'] }, 'root')
}

/** Repeats have the same id and the same body, and the first request of each event is in the order of its user. */
function checkReceived(received: readonly ReceivedWebhook[]): void {
  const bodies = new Map<string, string>()
  const sequences = new Map<string, number>()
  for (const { id, body, event } of received) {
    const before = bodies.get(id)
    if (before === undefined) {
      assert.ok(event.sequence > (sequences.get(event.user) ?? 0), `${event.user}: ${event.sequence} is late`)
      sequences.set(event.user, event.sequence)
      bodies.set(id, body)
    } else assert.equal(body, before)
    assert.equal(event.id, id)
  }
}
