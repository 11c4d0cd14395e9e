import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ServerSentEvent, SseParser } from 'purser/internal'
import { createTempDirectory, runPurser } from '../../support/processes.ts'
import { type Headers, openServerHarness, type ServerHarness } from '../../support/server-harness.ts'

let harness: ServerHarness
let url: string

before(async () => {
  harness = await openServerHarness({ realTime: true })
  url = await harness.server.listen()
})
after(() => harness[Symbol.asyncDispose]())

/** Opens a stream; `next` waits for the next event of a type. */
async function openStream(headers: Headers = {}, query = '') {
  const abort = new AbortController()
  const response = await fetch(`${url}/api/events${query}`, {
    headers: { authorization: `Bearer ${harness.key}`, ...headers },
    signal: abort.signal,
  })
  const events: ServerSentEvent[] = []
  let wake = (): void => {}
  const reading = (async () => {
    const parser = new SseParser({ maxEventBytes: 1_048_576 })
    for await (const bytes of response.body ?? []) {
      events.push(...parser.push(bytes))
      wake()
    }
  })().catch(() => undefined)
  return {
    response,
    async next(type: string): Promise<ServerSentEvent> {
      for (;;) {
        const index = events.findIndex(({ event }) => event === type)
        if (index >= 0) return events.splice(index, 1)[0] as ServerSentEvent
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    async close() {
      abort.abort()
      await reading
    },
  }
}

const addNote = (user: string, text: string) => harness.user(user).ledger.addNote(text, { actor: 'test' })
const getUser = ({ data }: ServerSentEvent): string => JSON.parse(data).user

test('events are sent as they are committed, and a reconnected client resumes after the last one', async () => {
  const first = await openStream()
  assert.equal(first.response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  await addNote('ada', 'one')
  const last = await first.next('ledger')
  assert.equal(getUser(last), 'ada')
  await first.close()
  await addNote('ada', 'two')
  await addNote('bob', 'three')
  const second = await openStream({ 'last-event-id': String(last.id) })
  const missed = [await second.next('ledger'), await second.next('ledger')]
  assert.deepEqual(missed.map(getUser), ['ada', 'bob'])
  await second.close()
})

test('an unknown Last-Event-ID sends a gap, and the stream continues', async () => {
  const stream = await openStream({ 'last-event-id': 'no-such-event' })
  await stream.next('gap')
  await addNote('ada', 'after the gap')
  assert.equal(getUser(await stream.next('ledger')), 'ada')
  await stream.close()
})

test('activity without an event is coalesced into activity events without an id', async () => {
  const stream = await openStream()
  for (let count = 0; count < 20; count++) await harness.user('busy').ledger.admit()
  await harness.user('other').ledger.admit()
  const users = new Set<string>()
  while (users.size < 2) {
    const { id, data } = await stream.next('activity')
    assert.equal(id, undefined)
    for (const user of JSON.parse(data).users) users.add(user)
  }
  assert.deepEqual([...users].toSorted(), ['busy', 'other'])
  await stream.close()
})

test('a stream of one user contains no events of other users', async () => {
  const stream = await openStream({}, '?user=cara')
  await addNote('ada', 'not for this stream')
  await addNote('cara', 'this one')
  assert.equal(getUser(await stream.next('ledger')), 'cara')
  await stream.close()
})

test('an invalid filter is rejected before the stream starts, over HTTP and by the command', async () => {
  for (const query of ['?user=..', '?user=', `?user=${'x'.repeat(257)}`]) {
    for (const method of ['GET', 'HEAD'] as const) {
      const response = await harness.fastify.inject({
        method,
        url: `/api/events${query}`,
        headers: { authorization: `Bearer ${harness.key}` },
      })
      assert.equal(response.statusCode, 400, `${method} ${query}`)
      if (method === 'GET') assert.equal(response.json().error.code, 'user_id_invalid')
    }
  }
  const { code, stderr } = await runPurser(['tail', '--user', '..'], createTempDirectory(), {
    PURSER_URL: url,
    PURSER_KEY: harness.key,
  })
  assert.equal(code, 2, stderr)
  assert.match(stderr, /user id/)
})

test('an idle stream sends a ping every 15 seconds', async () => {
  const idle = await openServerHarness()
  const address = await idle.server.listen()
  const response = await fetch(`${address}/api/events`, { headers: { authorization: `Bearer ${idle.key}` } })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  assert.equal((await reader?.read())?.value, 'retry: 2000\n\n')
  for (let count = 0; count < 2; count++) {
    idle.clock.advance(15_000)
    assert.equal((await reader?.read())?.value, ': ping\n\n')
  }
  await reader?.cancel()
  const closing = idle[Symbol.asyncDispose]()
  idle.clock.advance(50)
  await closing
})

test('streams end when the server closes', async () => {
  const other = await openServerHarness({ realTime: true })
  const address = await other.server.listen()
  const response = await fetch(`${address}/api/events`, { headers: { authorization: `Bearer ${other.key}` } })
  const reading = response.text()
  await other[Symbol.asyncDispose]()
  assert.match(await reading, /retry: 2000/)
})
