import assert from 'node:assert/strict'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import type { PurserError, Turn, User } from '../../src/index.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'
import { handClock } from '../../src/testing/index.ts'
import type { AnsweredTurn } from '../../src/turn/answered-turn.ts'
import { storeWipesFiles } from '../support/test-store.ts'
import { begin, chunk, fail, openTurnHarness } from '../support/turn-harness.ts'

const request: ChatRequest = { messages: [{ role: 'user', content: 'Hi' }] }

function allowed(turn: Turn): AnsweredTurn {
  assert.ok(turn.allowed)
  return turn
}

const code = (expected: string) => (error: PurserError) => error.code === expected

test('the upstream gets the settings and the context of the user, and the client gets its exact answer', async () => {
  await using harness = await openTurnHarness()
  const { upstream } = harness
  const ada = harness.user('ada@example.org')
  await ada.profile.put({ name: 'Ada' })
  await ada.runtime.configure({ parameters: { temperature: 0.2, maxOutputTokens: 50 } })
  const widened: ChatRequest & { unknown_field: object } = {
    messages: [
      { role: 'system', content: 'You are a teacher.' },
      { role: 'user', content: 'Hi' },
    ],
    user: 'ada@example.org',
    temperature: 0.9,
    unknown_field: { nested: true },
  }
  const turn = allowed(await ada.turn(widened))
  const completion = await turn.completion()
  assert.equal(completion.choices[0]?.message.content, 'Hello there')
  assert.equal(completion.model, 'upstream-model')

  const { body, headers } = upstream.requests[0] ?? assert.fail('the upstream got no request')
  assert.equal(headers.authorization, 'Bearer operator-key')
  assert.equal(body.model, 'm')
  assert.equal(body.temperature, 0.9)
  assert.equal(body.max_tokens, 50)
  assert.deepEqual((body as unknown as Record<string, unknown>).unknown_field, { nested: true })
  const system = String(body.messages[0]?.content)
  assert.ok(system.startsWith('You are a teacher.'), system)
  assert.match(system, /Ada/)
  assert.match(String(body.safety_identifier), /^[0-9a-f]{64}$/)
  assert.doesNotMatch(JSON.stringify(body), /ada@example\.org/)
})

test('an answer contains the requested model id', async () => {
  await using harness = await openTurnHarness()
  const { upstream } = harness
  const ada = harness.user('ada')
  assert.equal((await allowed(await ada.turn({ ...request, model: 'auto' })).completion()).model, 'auto')
  const chunks = []
  for await (const part of allowed(await ada.turn({ ...request, model: 'n', stream: true })).chunks) chunks.push(part)
  assert.deepEqual(new Set(chunks.map((part) => part.model)), new Set(['n']))
  assert.equal(upstream.requests[1]?.body.model, 'n')
  const full = allowed(await ada.turn({ ...request, model: 'local/n' }))
  assert.equal((await full.completion()).model, 'local/n')
  assert.equal(upstream.requests[2]?.body.model, 'n')
})

test('a client gets the usage chunk only if it requests it, and the ledger counts the tokens in any case', async () => {
  await using harness = await openTurnHarness()
  const ada = harness.user('ada')
  const countUsageChunks = async (options: object): Promise<number> => {
    let count = 0
    for await (const part of allowed(await ada.turn({ ...request, stream: true, ...options })).chunks)
      if (part.choices.length === 0) count += 1
    return count
  }
  assert.equal(await countUsageChunks({}), 0)
  assert.equal(await countUsageChunks({ stream_options: { include_usage: true } }), 1)
  const rows = await Array.fromAsync(ada.export())
  const tokens = rows.filter((row) => row.type === 'counter').map((row) => JSON.stringify(row.value))
  assert.ok(
    tokens.some((row) => row.includes('14')),
    tokens.join(),
  )
})

test('a refusal is a value with the response for the client, and the upstream is not called', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 1 } })
  const { upstream } = harness
  const ada = harness.user('ada')
  await allowed(await ada.turn(request)).completion()
  const turn = await ada.turn(request)
  assert.equal(turn.allowed, false)
  const response = turn.toResponse()
  assert.equal(response.status, 429)
  assert.equal(response.headers.get('x-should-retry'), 'false')
  assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'insufficient_quota')
  assert.equal(upstream.requests.length, 1)
})

test('a failure before the answer begins rejects with its code and is not counted', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 5 } })
  const { upstream } = harness
  const ada = harness.user('ada')
  for (const [status, expected] of [
    [500, 'upstream_failed'],
    [401, 'upstream_auth'],
    [429, 'upstream_rate_limited'],
    [400, 'upstream_rejected'],
  ] as const) {
    upstream.answer = (response) => fail(response, status)
    await assert.rejects(ada.turn(request), code(expected))
  }
  await assert.rejects(ada.turn({ ...request, model: 'no-such-model' }), code('model_not_found'))
  await assert.rejects(ada.turn({ ...request, model: 'open/m' }), code('model_not_found'))
  await assert.rejects(ada.turn({ messages: [] }), code('request_invalid'))
  assert.equal((await ada.ledger.quota()).count, 0)
  assert.deepEqual(
    harness.purser.runtime
      .active()
      .map((runtime) => runtime.inUse)
      .filter((inUse) => inUse > 0),
    [],
  )
})

test('an answer that is cut later throws at its reader and stays counted', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 5 } })
  const { upstream } = harness
  const ada = harness.user('ada')
  upstream.answer = (response) => {
    begin(response, 'Hel')
    setImmediate(() => response.destroy())
  }
  const turn = allowed(await ada.turn({ ...request, stream: true }))
  await assert.rejects(Array.fromAsync(turn.chunks), code('upstream_failed'))
  assert.equal((await ada.ledger.quota()).count, 1)
})

test('a reader that stops early stops the upstream, and the turn stays counted', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 5 } })
  const { upstream } = harness
  const ada = harness.user('ada')
  upstream.answer = (response) => begin(response, 'Hel')
  const turn = allowed(await ada.turn({ ...request, stream: true }))
  for await (const part of turn.chunks) {
    assert.equal(part.choices[0]?.delta.content, 'Hel')
    break
  }
  await upstream.disconnected
  assert.equal((await ada.ledger.quota()).count, 1)
  assert.equal(harness.purser.runtime.active()[0]?.inUse, 0)
})

/** Tokens that the ledger has counted for the user. */
async function countedTokens(user: User): Promise<{ input: number; output: number }> {
  const rows = await Array.fromAsync(user.export())
  const counters = rows.filter(({ type }) => type === 'counter')
  const sum = (limit: string): number =>
    counters
      .map(({ value }) => value as { readonly limit: string; readonly value: number })
      .reduce((total, counter) => (counter.limit === limit ? total + counter.value : total), 0)
  return { input: sum('inputTokens'), output: sum('outputTokens') }
}

/** How a reader may leave a stream after its second chunk. */
const LEAVING: Readonly<Record<string, (turn: AnsweredTurn, abort: AbortController) => Promise<unknown>>> = {
  'breaks its loop': async ({ chunks }) => {
    let count = 0
    for await (const _ of chunks) if (++count === 2) break
  },
  'cancels the turn': async (turn) => {
    const iterator = turn.chunks[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.next()
    await turn.cancel()
  },
  aborts: async ({ chunks }, abort) => {
    const iterator = chunks[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.next()
    abort.abort()
    await iterator.next().catch(() => undefined)
  },
  'cancels its response': async (turn) => {
    const reader = turn.toResponse().body?.getReader()
    await reader?.read()
    await reader?.read()
    await reader?.cancel()
  },
  'is cut by the upstream': async ({ chunks }, _) => {
    cut.resolve()
    await Array.fromAsync(chunks).catch(() => undefined)
  },
}
let cut = Promise.withResolvers<void>()

for (const [how, leave] of Object.entries(LEAVING)) {
  test(`the tokens of a stream are counted by what was delivered when its reader ${how}`, async () => {
    await using harness = await openTurnHarness()
    const ada = harness.user('ada')
    cut = Promise.withResolvers()
    harness.upstream.answer = (response) => {
      begin(response, 'w'.repeat(400))
      response.write(chunk({ content: 'ö'.repeat(200) }))
      void cut.promise.then(() => response.destroy())
    }
    const abort = new AbortController()
    const prompt: ChatRequest = { messages: [{ role: 'user', content: 'x'.repeat(4_000) }], stream: true }
    await leave(allowed(await ada.turn(prompt, { signal: abort.signal })), abort)
    const tokens = await countedTokens(ada)
    assert.ok(tokens.output >= 100 && tokens.output <= 210, JSON.stringify(tokens))
    assert.ok(tokens.input >= 1_000 && tokens.input < 1_100, JSON.stringify(tokens))
  })
}

test('a stream that is read to its end is counted by the usage of the upstream', async () => {
  await using harness = await openTurnHarness()
  const ada = harness.user('ada')
  await Array.fromAsync(allowed(await ada.turn({ ...request, stream: true })).chunks)
  assert.deepEqual(await countedTokens(ada), { input: 7, output: 2 })
})

test('an answer that cannot be delivered for a reason of our own is not counted, and nothing stays in use', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 5 } })
  const ada = harness.user('ada')
  for (const stream of [true, false]) {
    const response = new ServerResponse(new IncomingMessage(new Socket()))
    response.writeHead(200)
    response.flushHeaders()
    const turn = allowed(await ada.turn({ ...request, stream }))
    await assert.rejects(turn.pipe(response), { code: 'ERR_HTTP_HEADERS_SENT' })
  }
  assert.equal((await ada.ledger.quota()).count, 0)
  assert.ok(harness.purser.runtime.active().every(({ inUse }) => inUse === 0))
})

test('a model of any name is reported in a header, percent-encoded where HTTP requires it', async () => {
  await using harness = await openTurnHarness({
    runtime: { defaults: { provider: 'any', model: 'm' } },
    providers: { any: { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9/v1', apiKey: '' } },
  })
  await using any = await openTurnHarness({
    providers: { any: { kind: 'openai-compatible', baseURL: harness.upstream.baseURL, apiKey: '' } },
    runtime: { defaults: { provider: 'any', model: 'm' } },
  })
  for (const model of ['é', '模型', '😀', '\u2028', 'a%41b', '"', 'my model', '模'.repeat(256)]) {
    for (const stream of [true, false]) {
      const response = allowed(await any.user('ada').turn({ ...request, model, stream })).toResponse()
      assert.equal(decodeURIComponent(response.headers.get('x-purser-model') ?? ''), `any/${model}`)
      assert.equal(response.status, 200)
      await response.text()
    }
  }
})

test('a turn of either kind can be disposed of', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 1 } })
  for (const expected of [true, false]) {
    await using turn: Turn = await harness.user('ada').turn(request)
    assert.equal(turn.allowed, expected)
  }
  assert.ok(harness.purser.runtime.active().every(({ inUse }) => inUse === 0))
})

test('an abort before the answer rejects with its reason, and the turn stays counted', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 5 } })
  const { upstream } = harness
  const ada = harness.user('ada')
  const called = Promise.withResolvers<void>()
  upstream.answer = () => called.resolve()
  const controller = new AbortController()
  const turn = ada.turn(request, { signal: controller.signal })
  await called.promise
  const reason = new Error('the client has left')
  controller.abort(reason)
  await assert.rejects(turn, (error) => error === reason)
  assert.equal((await ada.ledger.quota()).count, 1)
})

test('an answer can be read once', async () => {
  await using harness = await openTurnHarness()
  const turn = allowed(await harness.user('ada').turn(request))
  await turn.completion()
  await assert.rejects(turn.completion(), code('turn_consumed'))
  assert.throws(() => turn.toResponse(), code('turn_consumed'))
})

test('an answer that is not read within a minute is cancelled', async () => {
  const clock = handClock()
  await using harness = await openTurnHarness({ effects: clock })
  const { upstream } = harness
  upstream.answer = (response) => begin(response, 'Hel')
  const turn = allowed(await harness.user('ada').turn({ ...request, stream: true }))
  await clock.pass(60_000)
  await upstream.disconnected
  await assert.rejects(turn.completion(), code('turn_consumed'))
})

for (const [form, start] of [
  [
    'chunks',
    async (turn) => {
      const chunks = turn.chunks[Symbol.asyncIterator]()
      await chunks.next()
      return () => chunks.next()
    },
  ],
  [
    'toResponse()',
    async (turn) => {
      const reader = turn.toResponse().body?.getReader()
      await reader?.read()
      return async () => {
        while ((await reader?.read())?.done === false);
      }
    },
  ],
] as const satisfies readonly (readonly [string, (turn: AnsweredTurn) => Promise<() => Promise<unknown>>])[]) {
  test(`a reader of ${form} that stops for readerTimeoutMs is left, and its turn is cancelled`, async () => {
    const clock = handClock()
    await using harness = await openTurnHarness({ effects: clock })
    const { upstream } = harness
    upstream.answer = (response) => {
      begin(response, 'Hel')
      for (let count = 0; count < 10; count++) response.write(chunk({ content: 'lo' }))
    }
    const ada = harness.user('ada')
    const turn = allowed(await ada.turn({ ...request, stream: true }, { readerTimeoutMs: 1_000 }))
    const readOn = await start(turn)
    await clock.pass(1_250)
    await upstream.disconnected
    await assert.rejects(readOn(), code('reader_slow'))
    assert.equal((await ada.ledger.quota()).count, 1)
  })
}

test('null waits without limit for the upstream and for the reader; other values are refused', async () => {
  const clock = handClock()
  await using harness = await openTurnHarness({ effects: clock })
  const { upstream } = harness
  const finish = Promise.withResolvers<void>()
  upstream.answer = (response) => {
    begin(response, 'Hel')
    void finish.promise.then(() => response.end('data: [DONE]\n\n'))
  }
  const noLimits = { firstChunkTimeoutMs: null, idleTimeoutMs: null, readerTimeoutMs: null }
  const turn = allowed(await harness.user('ada').turn({ ...request, stream: true }, noLimits))
  await clock.pass(3_600_000)
  const read = Array.fromAsync(turn.chunks)
  await clock.pass(3_600_000)
  finish.resolve()
  assert.ok((await read).length > 0)
  for (const name of Object.keys(noLimits)) {
    for (const wrong of [-1, Number.NaN, '5']) {
      await assert.rejects(harness.user('ada').turn(request, { [name]: wrong }), code('argument_invalid'))
    }
  }
})

test('a ticket pays for one turn', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 5 } })
  const ada = harness.user('ada')
  const admission = await ada.ledger.admit()
  assert.ok(admission.allowed)
  await allowed(await ada.turn(request, { ticket: admission.ticket })).completion()
  await assert.rejects(ada.turn(request, { ticket: admission.ticket }), code('ticket_used'))
  await assert.rejects(harness.user('eve').turn(request, { ticket: admission.ticket }), code('ticket_invalid'))
  assert.equal((await ada.ledger.quota()).count, 1)
})

test('another configured provider can be selected by a user with a key of their own', async () => {
  await using harness = await openTurnHarness()
  const { upstream } = harness
  const ada = harness.user('ada')
  await ada.runtime.setSecret('open', { apiKey: 'adas-own-key' })
  await allowed(await ada.turn({ ...request, model: 'open/some/model' })).completion()
  assert.equal(upstream.requests[0]?.headers.authorization, 'Bearer adas-own-key')
  assert.equal(upstream.requests[0]?.body.model, 'some/model')
  assert.equal((await ada.runtime.settings()).provider, 'local')
})

test('a cached answer is replayed to the same user only, as a stream or as a completion', async () => {
  await using harness = await openTurnHarness({ answers: { enabled: true } })
  const { upstream } = harness
  const ada = harness.user('ada')
  const first = allowed(await ada.turn({ ...request, stream: true }))
  assert.equal(first.cache, 'miss')
  const streamed = await Array.fromAsync(first.chunks)
  const again = allowed(await ada.turn({ ...request, stream: true }))
  assert.equal(again.cache, 'hit')
  assert.deepEqual(await Array.fromAsync(again.chunks), streamed)
  const whole = allowed(await ada.turn(request))
  assert.equal(whole.cache, 'hit')
  const { choices, usage } = await whole.completion()
  assert.deepEqual([choices[0]?.message.content, usage?.total_tokens], ['Hello there', 9])
  const fresh = allowed(await ada.turn(request, { cache: 'refresh' }))
  assert.equal(fresh.cache, 'miss')
  await fresh.completion()
  const eve = allowed(await harness.user('eve').turn(request))
  assert.equal(eve.cache, 'miss')
  await eve.completion()
  assert.equal(upstream.requests.length, 3)
})

test('erasing a user ends pending turns and leaves no data', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 5 }, answers: { enabled: true } })
  const { upstream } = harness
  const ada = harness.user('ada')
  await ada.profile.put({ name: 'Ada' })
  await ada.ledger.addNote('a note', { actor: 'operator' })
  await ada.ledger.setLimit('daily', 4, { actor: 'operator' })
  await ada.ledger.setOwnLimit('daily', 3)
  await allowed(await ada.turn(request)).completion()
  upstream.answer = (response) => {
    begin(response, 'Hel')
    response.write(chunk({}, 'stop'))
    setImmediate(() => response.end('data: [DONE]\n\n'))
  }
  const pending = allowed(await ada.turn({ messages: [{ role: 'user', content: 'Another' }], stream: true }))
  const receipt = await ada.erase({ actor: 'support', reason: 'requested by the user' })
  assert.equal(receipt.erased.bond, 1)
  assert.equal(receipt.erased.profile, 1)
  assert.equal(receipt.erased.notes, 1)
  assert.equal(receipt.erased.limits, 1)
  assert.equal(receipt.purged, storeWipesFiles)
  await Array.fromAsync(pending.chunks).catch(() => undefined)
  assert.equal((await ada.ledger.bond()).exists, false)
  assert.deepEqual(await ada.profile.get(), {})
  const rows = await Array.fromAsync(ada.export())
  assert.deepEqual(
    rows.map((row) => row.part).filter((part) => part !== 'ledger' && part !== 'runtime'),
    ['header', 'end'],
  )
  assert.equal(allowed(await ada.turn(request)).cache, 'miss')
})

test('an export starts with a header, ends with counts and contains no secrets', async () => {
  await using harness = await openTurnHarness()
  const ada = harness.user('ada')
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

test('an erasure requires an actor and a reason', async () => {
  await using harness = await openTurnHarness()
  await assert.rejects(harness.user('ada').erase({ actor: '', reason: 'x' }), code('argument_invalid'))
  await assert.rejects(harness.user('ada').erase({ actor: 'x' } as never), code('argument_invalid'))
  for (const invalid of [{ actor: 'y'.repeat(257) }, { reason: 'y'.repeat(1_025) }, { reason: '\ud800' }])
    await assert.rejects(harness.user('ada').erase({ actor: 'x', reason: 'x', ...invalid }), code('argument_invalid'))
})
