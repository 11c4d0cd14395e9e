import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPurser, type Purser, type PurserError, type PurserOptions, type Turn } from '../../src/index.ts'
import { handClock } from '../../src/testing/index.ts'
import type { AnsweredTurn } from '../../src/turn/answered-turn.ts'
import { begin, chunk, fail, startUpstream, type Upstream } from './upstream.ts'

async function opened(upstream: Upstream, options: PurserOptions = {}): Promise<Purser> {
  return openPurser({
    store: 'memory:',
    providers: {
      local: {
        kind: 'openai-compatible',
        baseURL: upstream.baseURL,
        apiKey: 'operator-key',
        models: ['m', 'n'],
        defaultModel: 'm',
      },
      open: { kind: 'openai-compatible', baseURL: upstream.baseURL },
    },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    ...options,
  })
}

const ask = { messages: [{ role: 'user', content: 'Hi' }] }

function allowed(turn: Turn): AnsweredTurn {
  assert.ok(turn.allowed)
  return turn
}

const code = (expected: string) => (error: PurserError) => error.code === expected

test('a turn gives the upstream what the settings and the context say, and the client the exact answer', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  const ada = purser.user('ada@example.org')
  await ada.profile.put({ name: 'Ada' })
  await ada.runtime.configure({ parameters: { temperature: 0.2, maxOutputTokens: 50 } })
  const turn = allowed(
    await ada.turn({
      messages: [
        { role: 'system', content: 'You are a teacher.' },
        { role: 'user', content: 'Hi' },
      ],
      user: 'ada@example.org',
      temperature: 0.9,
      unknown_field: { kept: true },
    }),
  )
  const completion = await turn.completion()
  assert.equal(completion.choices[0]?.message.content, 'Hello there')
  assert.equal(completion.model, 'upstream-model')

  const { body, headers } = upstream.seen[0] ?? assert.fail('the upstream was not asked')
  assert.equal(headers.authorization, 'Bearer operator-key')
  assert.equal(body.model, 'm')
  assert.equal(body.temperature, 0.9)
  assert.equal(body.max_tokens, 50)
  assert.deepEqual(body.unknown_field, { kept: true })
  const system = String(body.messages[0]?.content)
  assert.ok(system.startsWith('You are a teacher.'), system)
  assert.match(system, /Ada/)
  assert.match(String(body.safety_identifier), /^[0-9a-f]{64}$/)
  assert.doesNotMatch(JSON.stringify(body), /ada@example\.org/)
})

test('an answer echoes the model that was asked for', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  const ada = purser.user('ada')
  assert.equal((await allowed(await ada.turn({ ...ask, model: 'auto' })).completion()).model, 'auto')
  const chunks = []
  for await (const part of allowed(await ada.turn({ ...ask, model: 'n', stream: true })).chunks) chunks.push(part)
  assert.deepEqual(new Set(chunks.map((part) => part.model)), new Set(['n']))
  assert.equal(upstream.seen[1]?.body.model, 'n')
  const full = allowed(await ada.turn({ ...ask, model: 'local/n' }))
  assert.equal((await full.completion()).model, 'local/n')
  assert.equal(upstream.seen[2]?.body.model, 'n')
})

test('a client sees the usage chunk only if it asked for it, and the ledger counts the tokens anyhow', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  const ada = purser.user('ada')
  const empty = async (request: object): Promise<number> => {
    let count = 0
    for await (const part of allowed(await ada.turn(request)).chunks) if (part.choices.length === 0) count += 1
    return count
  }
  assert.equal(await empty({ ...ask, stream: true }), 0)
  assert.equal(await empty({ ...ask, stream: true, stream_options: { include_usage: true } }), 1)
  const rows = await Array.fromAsync(ada.export())
  const tokens = rows.filter((row) => row.type === 'counter').map((row) => JSON.stringify(row.value))
  assert.ok(
    tokens.some((row) => row.includes('14')),
    tokens.join(),
  )
})

test('a refusal is a value with the answer for the client, and reaches no upstream', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream, { ledger: { dailyCap: 1 } })
  const ada = purser.user('ada')
  await allowed(await ada.turn(ask)).completion()
  const turn = await ada.turn(ask)
  assert.equal(turn.allowed, false)
  const response = turn.toResponse()
  assert.equal(response.status, 429)
  assert.equal(response.headers.get('x-should-retry'), 'false')
  assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'insufficient_quota')
  assert.equal(upstream.seen.length, 1)
})

test('what fails before the answer begins is given back, and said with its code', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream, { ledger: { dailyCap: 5 } })
  const ada = purser.user('ada')
  for (const [status, expected] of [
    [500, 'upstream_failed'],
    [401, 'upstream_auth'],
    [429, 'upstream_rate_limited'],
    [400, 'upstream_rejected'],
  ] as const) {
    upstream.answer = (response) => fail(response, status)
    await assert.rejects(ada.turn(ask), code(expected))
  }
  await assert.rejects(ada.turn({ ...ask, model: 'no-such-model' }), code('model_not_found'))
  await assert.rejects(ada.turn({ ...ask, model: 'open/m' }), code('model_not_found'))
  await assert.rejects(ada.turn({ messages: [] }), code('request_invalid'))
  assert.equal((await ada.ledger.quota()).count, 0)
  assert.deepEqual(
    purser.runtime
      .active()
      .map((runtime) => runtime.inUse)
      .filter((inUse) => inUse > 0),
    [],
  )
})

test('an answer that is cut later is thrown to its reader, and stays counted', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream, { ledger: { dailyCap: 5 } })
  const ada = purser.user('ada')
  upstream.answer = (response) => {
    begin(response, 'Hel')
    setImmediate(() => response.destroy())
  }
  const turn = allowed(await ada.turn({ ...ask, stream: true }))
  await assert.rejects(Array.fromAsync(turn.chunks), code('upstream_failed'))
  assert.equal((await ada.ledger.quota()).count, 1)
})

test('a reader that leaves stops the upstream, and has had its turn', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream, { ledger: { dailyCap: 5 } })
  const ada = purser.user('ada')
  upstream.answer = (response) => begin(response, 'Hel')
  const turn = allowed(await ada.turn({ ...ask, stream: true }))
  for await (const part of turn.chunks) {
    assert.equal(part.choices[0]?.delta.content, 'Hel')
    break
  }
  await upstream.left
  assert.equal((await ada.ledger.quota()).count, 1)
  assert.equal(purser.runtime.active()[0]?.inUse, 0)
})

test('an abort before the answer rejects with its reason, and stays counted', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream, { ledger: { dailyCap: 5 } })
  const ada = purser.user('ada')
  const asked = Promise.withResolvers<void>()
  upstream.answer = () => asked.resolve()
  const controller = new AbortController()
  const turn = ada.turn(ask, { signal: controller.signal })
  await asked.promise
  const reason = new Error('the client has left')
  controller.abort(reason)
  await assert.rejects(turn, (error) => error === reason)
  assert.equal((await ada.ledger.quota()).count, 1)
})

test('an answer is read once', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  const turn = allowed(await purser.user('ada').turn(ask))
  await turn.completion()
  await assert.rejects(turn.completion(), code('turn_consumed'))
  assert.throws(() => turn.toResponse(), code('turn_consumed'))
})

test('an answer that nobody reads is cancelled after a minute', async () => {
  await using upstream = await startUpstream()
  const clock = handClock()
  await using purser = await opened(upstream, { effects: clock })
  upstream.answer = (response) => begin(response, 'Hel')
  const turn = allowed(await purser.user('ada').turn({ ...ask, stream: true }))
  await clock.pass(60_000)
  await upstream.left
  await assert.rejects(turn.completion(), code('turn_consumed'))
})

test('a ticket pays for one turn', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream, { ledger: { dailyCap: 5 } })
  const ada = purser.user('ada')
  const admission = await ada.ledger.admit()
  assert.ok(admission.allowed)
  await allowed(await ada.turn(ask, { ticket: admission.ticket })).completion()
  await assert.rejects(ada.turn(ask, { ticket: admission.ticket }), code('ticket_used'))
  await assert.rejects(purser.user('eve').turn(ask, { ticket: admission.ticket }), code('ticket_invalid'))
  assert.equal((await ada.ledger.quota()).count, 1)
})

test('another configured provider is chosen by name only with a key of the user or by leave of the operator', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  const ada = purser.user('ada')
  await ada.runtime.setSecret('open', { apiKey: 'adas-own-key' })
  await allowed(await ada.turn({ ...ask, model: 'open/some/model' })).completion()
  assert.equal(upstream.seen[0]?.headers.authorization, 'Bearer adas-own-key')
  assert.equal(upstream.seen[0]?.body.model, 'some/model')
  assert.equal((await ada.runtime.settings()).provider, 'local')
})

test('a kept answer is replayed to the same user, in either form, and to nobody else', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream, { answers: { enabled: true } })
  const ada = purser.user('ada')
  const first = allowed(await ada.turn({ ...ask, stream: true }))
  assert.equal(first.cache, 'miss')
  const told = await Array.fromAsync(first.chunks)
  const again = allowed(await ada.turn({ ...ask, stream: true }))
  assert.equal(again.cache, 'hit')
  assert.deepEqual(await Array.fromAsync(again.chunks), told)
  const whole = allowed(await ada.turn(ask))
  assert.equal(whole.cache, 'hit')
  const { choices, usage } = await whole.completion()
  assert.deepEqual([choices[0]?.message.content, usage?.total_tokens], ['Hello there', 9])
  const fresh = allowed(await ada.turn(ask, { cache: 'refresh' }))
  assert.equal(fresh.cache, 'miss')
  await fresh.completion()
  const eve = allowed(await purser.user('eve').turn(ask))
  assert.equal(eve.cache, 'miss')
  await eve.completion()
  assert.equal(upstream.seen.length, 3)
})

test('erasing a user ends what is in flight and leaves nothing behind', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream, { ledger: { dailyCap: 5 }, answers: { enabled: true } })
  const ada = purser.user('ada')
  await ada.profile.put({ name: 'Ada' })
  await ada.ledger.addNote('a note', { actor: 'operator' })
  await allowed(await ada.turn(ask)).completion()
  upstream.answer = (response) => {
    begin(response, 'Hel')
    response.write(chunk({}, 'stop'))
    setImmediate(() => response.end('data: [DONE]\n\n'))
  }
  const inFlight = allowed(await ada.turn({ messages: [{ role: 'user', content: 'Another' }], stream: true }))
  const receipt = await ada.erase({ actor: 'support', reason: 'asked for it' })
  assert.equal(receipt.erased.bond, 1)
  assert.equal(receipt.erased.profile, 1)
  assert.equal(receipt.erased.notes, 1)
  assert.equal(receipt.purged, true)
  await Array.fromAsync(inFlight.chunks).catch(() => undefined)
  assert.equal((await ada.ledger.bond()).exists, false)
  assert.deepEqual(await ada.profile.get(), {})
  const rows = await Array.fromAsync(ada.export())
  assert.deepEqual(
    rows.map((row) => row.part).filter((part) => part !== 'ledger' && part !== 'runtime'),
    ['header', 'end'],
  )
  assert.equal(allowed(await ada.turn(ask)).cache, 'miss')
})

test('an export begins with a header, ends with counts and shows no secret', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  const ada = purser.user('ada')
  await ada.profile.put({ name: 'Ada' })
  await ada.runtime.setSecret('open', { apiKey: 'canary-secret' })
  await ada.actions.record({ action: 'Opened a lesson' })
  const rows = await Array.fromAsync(ada.export())
  assert.equal(rows[0]?.part, 'header')
  assert.equal(rows.at(-1)?.part, 'end')
  assert.equal(rows.at(-1)?.counts?.action, 1)
  assert.match(JSON.stringify(rows), /Opened a lesson/)
  assert.doesNotMatch(JSON.stringify(rows), /canary-secret/)
})

test('an erasure says who wanted it and why', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  await assert.rejects(purser.user('ada').erase({ actor: '', reason: 'x' }), code('argument_invalid'))
  await assert.rejects(purser.user('ada').erase({ actor: 'x' } as never), code('argument_invalid'))
  for (const wrong of [{ actor: 'y'.repeat(257) }, { reason: 'y'.repeat(1_025) }, { reason: '\ud800' }])
    await assert.rejects(purser.user('ada').erase({ actor: 'x', reason: 'x', ...wrong }), code('argument_invalid'))
})
