import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatRequest } from '../../src/openai/chat.ts'
import type { Limit } from '../../src/options.ts'
import { handClock } from '../../src/testing/index.ts'
import type { AnsweredTurn } from '../../src/turn/answered-turn.ts'
import type { TurnFailure } from '../../src/turn/options.ts'
import type { Turn } from '../../src/turn/take-turn.ts'
import { begin, chunk, completion, fail, openTurnHarness } from '../support/turn-harness.ts'

const request: ChatRequest = { messages: [{ role: 'user', content: 'x'.repeat(400) }] }
const AT = Date.parse('2026-03-10T12:00:00Z')
const MINUTE_MS = 60_000
const PRICES = { 'local/m': { input: '1', output: '10' } }

function allowed(turn: Turn): AnsweredTurn {
  assert.ok(turn.allowed)
  return turn
}

test('a turn that was answered has a record with everything but what was said', async () => {
  const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
  await using harness = await openTurnHarness({ prices: PRICES, effects: clock, plans: { pro: {} } })
  const ada = harness.user('ada')
  await ada.profile.put({ name: 'Ada' })
  await ada.ledger.setPlan('pro', { actor: 'ana' })
  const turn = allowed(await ada.turn({ ...request, model: 'auto' }, { session: 's1', requestId: 'r1' }))
  await turn.completion()
  const [record, ...others] = await ada.turns()
  assert.equal(others.length, 0)
  assert.ok(record)
  const { overheadMs, firstChunkMs, upstreamMs, totalMs, estimate, context, attempts, ...rest } = record
  assert.deepEqual(rest, {
    id: turn.id,
    user: 'ada',
    at: new Date(AT).toISOString(),
    endpoint: 'turn',
    session: 's1',
    plan: 'pro',
    provider: 'local',
    model: 'm',
    requestedModel: 'auto',
    downgradedBy: null,
    cache: 'off',
    outcome: 'completed',
    code: null,
    limit: null,
    weight: 1,
    inputTokens: 7,
    outputTokens: 2,
    cachedTokens: 0,
    cost: '0.000027',
    tools: [],
    requestId: 'r1',
    prefix: 'first',
  })
  assert.equal(estimate.outputTokens, 512)
  assert.ok(estimate.inputTokens >= 100)
  assert.deepEqual([overheadMs, firstChunkMs, upstreamMs, totalMs], [0, 0, 0, 0])
  assert.deepEqual(
    attempts.map(({ provider, model, status, code }) => [provider, model, status, code]),
    [['local', 'm', 200, null]],
  )
  assert.deepEqual(
    context.map(({ section, status, cut }) => [section, status, cut]),
    [
      ['profile', 'fresh', 0],
      ['actions', 'empty', 0],
    ],
  )
})

test('refused, failed and cancelled turns say why, and what was given back counts nothing', async () => {
  await using harness = await openTurnHarness({ ledger: { dailyCap: 3 } })
  const { upstream } = harness
  const ada = harness.user('ada')
  await assert.rejects(ada.turn({ ...request, model: 'unknown' }), { code: 'model_not_found' })
  upstream.answer = (response) => fail(response, 400)
  await assert.rejects(ada.turn(request), { code: 'upstream_rejected' })
  upstream.answer = (response) => {
    begin(response, 'Hello')
    response.write(chunk({ content: ' there' }), () => response.destroy())
  }
  const cut = allowed(await ada.turn({ ...request, stream: true }))
  await assert.rejects(async () => {
    for await (const _ of cut.chunks);
  })
  upstream.answer = (response) => begin(response, 'Hello')
  const left = allowed(await ada.turn({ ...request, stream: true }))
  for await (const _ of left.chunks) break
  await left.cancel()
  upstream.answer = (response) => completion(response, 'Hi')
  await allowed(await ada.turn(request, { cost: 1 })).completion()
  assert.equal((await ada.turn(request)).allowed, false)
  const [refused, completed, cancelled, failed, rejected, unknown] = await ada.turns()
  assert.deepEqual(
    [refused?.outcome, refused?.code, refused?.limit, refused?.weight],
    ['refused', 'cap_reached', 'daily', 1],
  )
  assert.deepEqual([completed?.outcome, completed?.weight, completed?.inputTokens], ['completed', 1, 7])
  assert.deepEqual([cancelled?.outcome, cancelled?.code, cancelled?.weight], ['cancelled', null, 1])
  assert.ok(Number(cancelled?.outputTokens) >= 1)
  assert.deepEqual([failed?.outcome, failed?.code, failed?.weight], ['failed', 'upstream_failed', 1])
  assert.deepEqual([rejected?.outcome, rejected?.code, rejected?.weight], ['failed', 'upstream_rejected', 0])
  // The user did not exist yet, and a turn that was not admitted creates none.
  assert.equal(unknown, undefined)
  const [sum] = await ada.usage({ by: 'day' })
  assert.deepEqual([sum?.turns, sum?.refused], [3, 1])
  const [limit] = await ada.usage({ by: 'limit' })
  assert.deepEqual([limit?.key, limit?.refused], ['daily', 1])
  assert.deepEqual((await ada.turns({ outcome: 'failed', limit: 1 }))[0]?.id, failed?.id)
  assert.deepEqual(
    (await ada.turns({ before: failed?.id })).map(({ id }) => id),
    [rejected?.id],
  )
})

test('turns are read within a period, of which the end is excluded', async () => {
  const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
  await using harness = await openTurnHarness({ effects: clock })
  const ada = harness.user('ada')
  for (let turn = 0; turn < 4; turn++) {
    await allowed(await ada.turn(request)).completion()
    await clock.pass(3_600_000)
  }
  const read = async (options: object): Promise<string> =>
    (await ada.turns(options)).map(({ at }) => at.slice(11, 13)).join(' ')
  assert.equal(await read({ from: '2026-03-10T13:00:00Z', to: '2026-03-10T15:00:00Z' }), '14 13')
  assert.equal(await read({ to: '2026-03-10T13:00:00Z' }), '12')
  assert.equal(await read({ from: '2026-03-10T14:00:00.001Z' }), '15')
  assert.equal(await read({ from: '2026-03-10T14:00:00Z', to: '2026-03-10T14:00:00Z' }), '')
  const [newest] = await ada.turns({ to: '2026-03-10T15:00:00Z', limit: 1 })
  assert.equal(await read({ to: '2026-03-10T15:00:00Z', before: newest?.id }), '13 12')
  assert.equal(await read({ to: '2026-03-10T13:00:00Z', before: newest?.id }), '12')
  const inverted = { from: '2026-03-10T14:00:00Z', to: '2026-03-10T13:00:00Z' }
  for (const wrong of [{ from: '2026-03-10' }, inverted]) {
    await assert.rejects(ada.turns(wrong), { code: 'argument_invalid' })
  }
})

for (const moment of ['before its first chunk is read', 'after its first chunk was read']) {
  test(`a stream whose caller aborts with a reason of its own ${moment} is cancelled, not failed`, async () => {
    await using harness = await openTurnHarness()
    harness.upstream.answer = (response) => begin(response, 'Hello')
    const ada = harness.user('ada')
    const failures: TurnFailure[] = []
    const abort = new AbortController()
    const turn = allowed(
      await ada.turn(
        { ...request, stream: true },
        { signal: abort.signal, onFailure: (failure) => failures.push(failure) },
      ),
    )
    const chunks = turn.chunks[Symbol.asyncIterator]()
    if (moment.startsWith('after')) await chunks.next()
    const reason = new Error('The page was closed.')
    abort.abort(reason)
    await assert.rejects(async () => {
      for (;;) if ((await chunks.next()).done) return
    }, reason)
    const [record] = await ada.turns()
    assert.deepEqual([record?.outcome, record?.code, record?.weight], ['cancelled', null, 1])
    assert.ok(Number(record?.inputTokens) >= 100, 'the model was asked')
    assert.deepEqual(failures, [])
  })
}

test('turns are not listed before or after what is not the id of a turn', async () => {
  await using harness = await openTurnHarness()
  const ada = harness.user('ada')
  const id = allowed(await ada.turn(request)).id
  for (const wrong of ['', 'zz', '5', id.slice(0, 18), `${id}/`, 'x'.repeat(300), 5 as never, null as never]) {
    const invalid = { code: 'argument_invalid' }
    await assert.rejects(ada.turns({ before: wrong }), invalid, `before: ${wrong}`)
    await assert.rejects(
      async () => Array.fromAsync(harness.purser.turns({ after: wrong })),
      invalid,
      `after: ${wrong}`,
    )
  }
})

test('a hit counts a turn and no tokens; steps of tools and a model without a price are told apart', async () => {
  await using harness = await openTurnHarness({ answers: { enabled: true } })
  const ada = harness.user('ada')
  await allowed(await ada.turn(request)).completion()
  await harness.purser.answers.flush()
  await allowed(await ada.turn(request)).completion()
  const [hit, miss] = await ada.turns()
  assert.deepEqual([hit?.cache, hit?.inputTokens, hit?.cost, hit?.weight], ['hit', 0, '0', 1])
  assert.deepEqual([miss?.cache, miss?.inputTokens, miss?.cost, miss?.weight], ['miss', 7, null, 1])
  const [model] = await harness.purser.usage({ by: 'model' })
  assert.deepEqual(model, {
    key: 'local/m',
    turns: 2,
    refused: 0,
    unpriced: 1,
    inputTokens: 7,
    outputTokens: 2,
    cachedTokens: 0,
    cost: '0',
  })
})

test('tools that the request declares are listed by name, others without', async () => {
  await using harness = await openTurnHarness()
  const call = (name: string) => ({ id: `call ${name}`, type: 'function', function: { name, arguments: '{}' } })
  const tool = { type: 'function', function: { name: 'search', parameters: { type: 'object' } } } as const
  harness.upstream.answer = (response) => {
    begin(response, '')
    const tool_calls = ['search', 'search', 'a secret of ada'].map((name, index) => ({ index, ...call(name) }))
    response.write(chunk({ tool_calls }))
    response.write(chunk({}, 'tool_calls'))
    response.end('data: [DONE]\n\n')
  }
  const ada = harness.user('ada')
  for await (const _ of allowed(await ada.turn({ ...request, tools: [tool], stream: true })).chunks);
  assert.deepEqual((await ada.turns())[0]?.tools, [
    { name: 'search', calls: 2 },
    { name: 'other', calls: 1 },
  ])
})

test('20 refused turns a minute have records, all of them are in the sums', async () => {
  const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
  await using harness = await openTurnHarness({ ledger: { dailyCap: 1 }, effects: clock })
  const ada = harness.user('ada')
  await allowed(await ada.turn(request)).completion()
  for (let turn = 0; turn < 30; turn++) assert.equal((await ada.turn(request)).allowed, false)
  assert.equal((await ada.turns({ limit: 1_000, outcome: 'refused' })).length, 20)
  clock.advance(MINUTE_MS)
  assert.equal((await ada.turn(request)).allowed, false)
  assert.equal((await ada.turns({ limit: 1_000, outcome: 'refused' })).length, 21)
  assert.deepEqual((await ada.usage({ by: 'limit' }))[0]?.refused, 31)
})

test('turns that fail before they are counted have 20 records a minute together with refused ones', async () => {
  const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
  await using harness = await openTurnHarness({ ledger: { dailyCap: 1 }, effects: clock })
  const ada = harness.user('ada')
  await allowed(await ada.turn(request)).completion()
  const failures: unknown[] = []
  const onFailure = (failure: unknown) => void failures.push(failure)
  for (let turn = 0; turn < 30; turn++) {
    await assert.rejects(ada.turn({ ...request, model: 'unknown' }, { onFailure }), { code: 'model_not_found' })
    if (turn % 2 === 0) assert.equal((await ada.turn(request)).allowed, false)
  }
  const outcomes = Map.groupBy(await ada.turns({ limit: 1_000 }), ({ outcome }) => outcome)
  assert.deepEqual([outcomes.get('failed')?.length, outcomes.get('refused')?.length], [13, 7])
  assert.equal((await ada.usage())[0]?.refused, 15)
  assert.deepEqual(new Set(failures.map((failure) => (failure as TurnFailure).isAdmitted)), new Set([false]))
  clock.advance(MINUTE_MS)
  await assert.rejects(ada.turn({ ...request, model: 'unknown' }), { code: 'model_not_found' })
  assert.equal((await ada.turns({ outcome: 'failed' })).length, 14)
})

test('a limit under observe counts what it would have refused, a limit with another model what it sent there', async () => {
  const limits: Limit[] = [
    { name: 'watched', measure: 'turns', max: 1, window: 'day', mode: 'observe' },
    { name: 'big', measure: 'turns', max: 2, window: 'day', models: ['local/m'], onLimit: { model: 'n' } },
  ]
  await using harness = await openTurnHarness({ ledger: { limits } })
  const ada = harness.user('ada')
  for (let turn = 0; turn < 3; turn++) await allowed(await ada.turn(request)).completion()
  assert.deepEqual(
    (await harness.purser.usage({ by: 'limit' })).map(({ key, refused }) => [key, refused]),
    [['watched', 2]],
  )
  const [last] = await ada.turns()
  assert.deepEqual([last?.downgradedBy, last?.model, last?.requestedModel], ['big', 'n', null])
})

for (const maxPerUser of [3, 200])
  test(`at most ${maxPerUser} records of a user stay, and old ones are not shown`, async () => {
    const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
    const maxAgeMs = 60 * MINUTE_MS
    await using harness = await openTurnHarness({ ledger: { keepTurns: { maxPerUser, maxAgeMs } }, effects: clock })
    const ada = harness.user('ada')
    const ids: string[] = []
    for (let number = 0; number < maxPerUser + 20; number++) {
      const turn = allowed(await ada.turn(request))
      await turn.cancel()
      ids.unshift(turn.id)
      if (number % 7 === 0) clock.advance(1)
      if (number % 16 === 0) assert.ok((await ada.turns({ limit: 1_000 })).length <= maxPerUser)
    }
    const found = (await ada.turns({ limit: 1_000 })).map(({ id }) => id)
    assert.ok(found.length <= maxPerUser && found.length > maxPerUser - 16, String(found.length))
    assert.deepEqual(found, ids.slice(0, found.length))
    clock.advance(maxAgeMs + 1_000)
    assert.deepEqual(await ada.turns(), [])
    assert.equal((await ada.usage({ by: 'month' }))[0]?.turns, maxPerUser + 20)
  })

test('turns of all users are read oldest first, from a turn on, and end', async () => {
  await using harness = await openTurnHarness()
  const ids: string[] = []
  for (let turn = 0; turn < 4; turn++) {
    const begun = allowed(await harness.user(turn % 2 === 0 ? 'ada' : 'bob').turn(request))
    await begun.completion()
    ids.push(begun.id)
  }
  const read = async (options?: Parameters<typeof harness.purser.turns>[0]) => {
    const found: string[] = []
    for await (const { id } of harness.purser.turns(options)) found.push(id)
    return found
  }
  assert.deepEqual(await read(), ids)
  assert.deepEqual(await read({ after: ids[1] }), ids.slice(2))
  assert.deepEqual(await read({ user: 'bob' }), [ids[1], ids[3]])
  assert.deepEqual(await read({ order: 'descending', after: ids[2] }), [ids[1], ids[0]])
  assert.deepEqual(await read({ outcome: 'refused' }), [])
  assert.throws(() => harness.purser.turns({ outcome: 'bad' as 'refused' }), { code: 'argument_invalid' })
  await assert.rejects(harness.user('ada').usage({ by: 'user' as 'day' }), { code: 'argument_invalid' })
  await assert.rejects(harness.purser.usage({ from: 'yesterday' }), { code: 'argument_invalid' })
})

test('days and months are those of the user, hours are UTC', async () => {
  const clock = handClock({ wall: '2026-03-31T20:30:00Z' })
  await using harness = await openTurnHarness({ effects: clock })
  const [ada, kim] = [harness.user('ada'), harness.user('kim')]
  await kim.ledger.setTimeZone('Asia/Seoul')
  for (const user of [ada, kim]) await allowed(await user.turn(request)).completion()
  const keys = async (user: typeof ada, by: 'hour' | 'day' | 'month') =>
    (await user.usage({ by, from: '2026-03-01' })).map(({ key, turns }) => [key, turns])
  assert.deepEqual(await keys(ada, 'day'), [['2026-03-31', 1]])
  assert.deepEqual(await keys(kim, 'day'), [['2026-04-01', 1]])
  assert.deepEqual(await keys(kim, 'month'), [['2026-04', 1]])
  assert.deepEqual(await keys(kim, 'hour'), [['2026-03-31T20', 1]])
  const all = await harness.purser.usage({ by: 'hour', from: '2026-03-31T20:59:00Z', to: '2026-03-31T21:00:00Z' })
  assert.deepEqual(
    all.map(({ key, turns }) => [key, turns]),
    [['2026-03-31T20', 2]],
  )
  assert.deepEqual(await harness.purser.usage({ by: 'hour', from: '2026-03-31T21:00:00Z' }), [])
  assert.deepEqual(
    (await harness.purser.usage({ by: 'user', from: '2026-04' })).map(({ key }) => key),
    ['kim'],
  )
})

test('an erasure removes the records and sums of a person and leaves sums that name no user', async () => {
  await using harness = await openTurnHarness()
  const { purser } = harness
  const ada = harness.user('ada')
  await allowed(await ada.turn(request)).completion()
  const rows = await Array.fromAsync(ada.export())
  assert.deepEqual(
    rows.filter(({ type }) => type === 'turn' || type === 'usage').map(({ type }) => type),
    ['turn', 'usage'],
  )
  await allowed(await ada.turn(request)).completion()
  const { erased } = await ada.erase({ actor: 'ana', reason: 'asked' })
  assert.deepEqual([erased.turns, erased.usage], [2, 1])
  assert.deepEqual(await ada.turns(), [])
  assert.deepEqual(await ada.usage(), [])
  assert.deepEqual(await Array.fromAsync(purser.turns()), [])
  assert.deepEqual(await purser.usage({ by: 'user' }), [])
  assert.equal((await purser.usage({ by: 'day' }))[0]?.turns, 2)
})

test('a record says whether the prefix of the prompt is that of the turn before in its session', async () => {
  await using harness = await openTurnHarness()
  const ada = harness.user('ada')
  const ask = async (session: string): Promise<void> => {
    await allowed(await ada.turn(request, { session })).completion()
  }
  await ada.profile.put({ name: 'Ada' })
  await ask('s1')
  await ask('s1')
  await ask('s2')
  await ada.profile.put({ name: 'Ada Lovelace' })
  await ask('s1')
  await ask('s1')
  const prefixes = (await ada.turns()).map(({ prefix }) => prefix)
  assert.deepEqual(prefixes, ['same', 'changed', 'first', 'same', 'first'])
})
