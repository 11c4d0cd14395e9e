import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ServerSentEvent, SseParser } from 'purser/internal'
import { handClock } from 'purser/testing'
import { type OpenServer, openServer } from '../../../src/app/server.ts'
import { freshDirectory, runPurser } from '../../support/processes.ts'

let server: OpenServer
let url: string
let admin: string

before(async () => {
  server = await openServer({ config: { store: 'memory:', server: { port: 0, logLevel: 'silent' } } })
  admin = (await server.house.keys.create({ role: 'admin', createdBy: 'test' })).key
  url = await server.listen()
})
after(() => server.close())

/** Opens the stream; `next` resolves to the next event of a type. */
async function listen(headers: Record<string, string> = {}, query = '') {
  const cut = new AbortController()
  const response = await fetch(`${url}/api/events${query}`, {
    headers: { authorization: `Bearer ${admin}`, ...headers },
    signal: cut.signal,
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
      cut.abort()
      await reading
    },
  }
}

const act = (user: string) => server.house.purser.user(user).ledger
const note = (user: string, text: string) => act(user).addNote(text, { actor: 'test' })

test('events come as they are committed, and a line that was cut resumes behind the last one', async () => {
  const first = await listen()
  assert.equal(first.response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  await note('ada', 'one')
  const seen = await first.next('ledger')
  assert.equal(JSON.parse(seen.data).user, 'ada')
  await first.close()
  await note('ada', 'two')
  await note('bob', 'three')
  const second = await listen({ 'last-event-id': String(seen.id) })
  const missed = [await second.next('ledger'), await second.next('ledger')]
  assert.deepEqual(
    missed.map(({ data }) => JSON.parse(data).user),
    ['ada', 'bob'],
  )
  await second.close()
})

test('a cursor that is not kept is told as a gap, and the stream goes on', async () => {
  const line = await listen({ 'last-event-id': 'no-such-event' })
  await line.next('gap')
  await note('ada', 'after the gap')
  assert.equal(JSON.parse((await line.next('ledger')).data).user, 'ada')
  await line.close()
})

test('who is active without an event is told once in a while, joined and without an id', async () => {
  const line = await listen()
  for (let count = 0; count < 20; count++) await act('busy').admit()
  await act('other').admit()
  const users = new Set<string>()
  while (users.size < 2) {
    const frame = await line.next('activity')
    assert.equal(frame.id, undefined)
    for (const user of JSON.parse(frame.data).users) users.add(user)
  }
  assert.deepEqual([...users].toSorted(), ['busy', 'other'])
  await line.close()
})

test('a stream of one user tells nothing of others', async () => {
  const line = await listen({}, '?user=cara')
  await note('ada', 'not for this stream')
  await note('cara', 'this one')
  assert.equal(JSON.parse((await line.next('ledger')).data).user, 'cara')
  await line.close()
})

test('a stream that cannot be is refused before it begins, over HTTP and by the command', async () => {
  for (const query of ['?user=..', '?user=', `?user=${'x'.repeat(257)}`]) {
    for (const method of ['GET', 'HEAD'] as const) {
      const answer = await server.fastify.inject({
        method,
        url: `/api/events${query}`,
        headers: { authorization: `Bearer ${admin}` },
      })
      assert.equal(answer.statusCode, 400, `${method} ${query}`)
      if (method === 'GET') assert.equal(answer.json().error.code, 'user_id_invalid')
    }
  }
  const { code, talk } = await runPurser(['tail', '--user', '..'], freshDirectory(), {
    PURSER_URL: url,
    PURSER_KEY: admin,
  })
  assert.equal(code, 2, talk)
  assert.match(talk, /user id/)
})

test('a silent stream is told every fifteen seconds that it is alive', async () => {
  const clock = handClock()
  const quiet = await openServer({
    config: { store: 'memory:', server: { port: 0, logLevel: 'silent' } },
    effects: clock,
  })
  const { key } = await quiet.house.keys.create({ role: 'viewer', createdBy: 'test' })
  const address = await quiet.listen()
  const response = await fetch(`${address}/api/events`, { headers: { authorization: `Bearer ${key}` } })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  assert.equal((await reader?.read())?.value, 'retry: 2000\n\n')
  for (let count = 0; count < 2; count++) {
    clock.advance(15_000)
    assert.equal((await reader?.read())?.value, ': ping\n\n')
  }
  await reader?.cancel()
  const closing = quiet.close()
  clock.advance(50)
  await closing
})

test('streams end when the server closes', async () => {
  const other = await openServer({ config: { store: 'memory:', server: { port: 0, logLevel: 'silent' } } })
  const { key } = await other.house.keys.create({ role: 'viewer', createdBy: 'test' })
  const address = await other.listen()
  const response = await fetch(`${address}/api/events`, { headers: { authorization: `Bearer ${key}` } })
  const reading = response.text()
  await other.close()
  assert.match(await reading, /retry: 2000/)
})
