import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { PurserOptions } from '../../src/index.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'
import type { Limit } from '../../src/options.ts'
import type { Commit } from '../../src/storage/commit.ts'
import type { Store } from '../../src/storage/store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import type { AnsweredTurn } from '../../src/turn/answered-turn.ts'
import type { Turn } from '../../src/turn/take-turn.ts'
import type { User } from '../../src/user.ts'
import { failingStore } from '../support/failing-store.ts'
import { openTurnHarness, type TurnHarness } from '../support/turn-harness.ts'

/*
 * A cached answer that is in memory is found before the admission of its turn, which ends with it: what is decided, written
 * and recorded must be as if the answer had been found afterwards.
 */

const request: ChatRequest = { messages: [{ role: 'user', content: 'Who are you?' }] }
const on: PurserOptions = { answers: { enabled: true } }

function allowed(turn: Turn): AnsweredTurn {
  assert.ok(turn.allowed)
  return turn
}

async function ask(user: User, body: ChatRequest = request): Promise<AnsweredTurn> {
  const turn = allowed(await user.turn(body))
  assert.equal((await turn.completion()).choices[0]?.message.content, 'Hello there')
  return turn
}

interface WatchedStore {
  readonly store: Store
  readonly commits: Commit[]
  /** Runs before the next commit. */
  before: (() => Promise<unknown>) | undefined
}

async function openWatchedStore(): Promise<WatchedStore> {
  const memory = await openMemoryStore({ effects: handClock() })
  const commits: Commit[] = []
  const watched: WatchedStore = {
    commits,
    before: undefined,
    store: {
      ...memory,
      users: {
        ...memory.users,
        async commit(user, commit) {
          const { before } = watched
          watched.before = undefined
          await before?.()
          commits.push(commit)
          return memory.users.commit(user, commit)
        },
      },
      close: async () => undefined,
    },
  }
  return watched
}

/** The answer is cached, and everything that finding it needs is in memory. */
async function keepAnswer({ purser, user }: TurnHarness, id = 'ada'): Promise<User> {
  await ask(user(id))
  await ask(user(id), { messages: [{ role: 'user', content: 'Who else?' }] })
  await purser.answers.flush()
  await user(id).turns()
  return user(id)
}

test('the turn of a cached answer is one commit with its record, whole and streamed', async () => {
  const watched = await openWatchedStore()
  await using harness = await openTurnHarness({ ...on, store: watched.store })
  const ada = await keepAnswer(harness)
  const { length } = harness.upstream.requests
  const before = await ada.ledger.quota()
  const first = watched.commits.length
  const turn = await ask(ada)
  assert.equal(turn.cache, 'hit')
  const [record] = await ada.turns()
  const streamed = allowed(await ada.turn({ ...request, stream: true }))
  let text = ''
  for await (const { choices } of streamed.chunks) text += choices[0]?.delta?.content ?? ''
  assert.deepEqual([streamed.cache, text], ['hit', 'Hello there'])
  await ada.turns()
  const commits = watched.commits.slice(first)
  assert.deepEqual(
    commits.map(({ recorded }) => recorded?.turns.map(({ id, outcome }) => [id, outcome])),
    [[[turn.id, 'completed']], [[streamed.id, 'completed']]],
  )
  assert.equal(harness.upstream.requests.length, length)
  assert.equal((await ada.ledger.quota()).count, before.count + 2)
  const { cache, outcome, weight, inputTokens, outputTokens, cost, attempts, context } = record ?? assert.fail()
  assert.deepEqual([cache, outcome, weight, inputTokens, outputTokens, cost], ['hit', 'completed', 1, 0, 0, '0'])
  assert.deepEqual(attempts, [])
  assert.deepEqual(
    context.map(({ section }) => section),
    ['profile', 'actions'],
  )
  const sums = await ada.usage({ by: 'model' })
  assert.equal(
    sums.reduce((sum, { turns }) => sum + turns, 0),
    4,
  )
})

test('a refused turn gets no cached answer and holds nothing', async () => {
  await using harness = await openTurnHarness({ ...on, ledger: { dailyCap: 3 } })
  const ada = await keepAnswer(harness)
  const { hits } = harness.purser.answers.stats()
  await ask(ada)
  const refused = await ada.turn(request)
  assert.ok(!refused.allowed)
  assert.equal(refused.admission.reason, 'daily_cap')
  const [record] = await ada.turns()
  assert.deepEqual([record?.outcome, record?.cache, record?.context], ['refused', 'off', []])
  assert.equal(harness.purser.answers.stats().hits, hits + 1)
  assert.deepEqual(
    harness.purser.runtime.active().map(({ inUse }) => inUse),
    [0],
  )
})

test('a turn that a limit sends to another model does not get the answer of the first one', async () => {
  const limit: Limit = {
    name: 'big',
    measure: 'turns',
    max: 2,
    window: 'day',
    models: ['local/m'],
    onLimit: { model: 'n' },
  }
  await using harness = await openTurnHarness({ ...on, ledger: { limits: [limit] } })
  const ada = await keepAnswer(harness)
  const { length } = harness.upstream.requests
  const turn = await ask(ada)
  assert.deepEqual([turn.cache, turn.settings.model, turn.admission.downgradedBy], ['miss', 'n', 'big'])
  assert.equal(harness.upstream.requests.at(-1)?.body.model, 'n')
  assert.equal(harness.upstream.requests.length, length + 1)
  const [record] = await ada.turns()
  assert.deepEqual([record?.model, record?.cache, record?.downgradedBy], ['n', 'miss', 'big'])
  assert.equal((await ask(ada)).cache, 'hit')
  assert.deepEqual(
    harness.purser.runtime.active().map(({ inUse }) => inUse),
    [0],
  )
})

test('what is held for a turn is released with its admission', async () => {
  const limits: Limit[] = [
    { name: 'tokens', measure: 'tokens', max: 100_000, window: 'day' },
    { name: 'slots', measure: 'concurrent', max: 1 },
  ]
  await using harness = await openTurnHarness({ ...on, ledger: { limits } })
  const ada = await keepAnswer(harness)
  const [one, two] = [await ada.turn(request), await ada.turn(request)].map(allowed)
  const states = await ada.ledger.limits()
  assert.deepEqual(
    states.flatMap(({ name, held, used }) => (name === 'daily' ? [] : [[name, held ?? 0, used]])),
    [
      ['tokens', 0, 18],
      ['slots', 0, 0],
    ],
  )
  await one?.completion()
  await two?.cancel()
})

test('a user who is erased during the admission does not get the answer of before', async () => {
  const watched = await openWatchedStore()
  await using harness = await openTurnHarness({
    ...on,
    store: watched.store,
    secretKey: Buffer.alloc(32, 7).toString('base64'),
  })
  await using other = await openTurnHarness({
    ...on,
    store: watched.store,
    secretKey: Buffer.alloc(32, 7).toString('base64'),
  })
  const ada = await keepAnswer(harness)
  const { length } = harness.upstream.requests
  watched.before = () => other.user('ada').erase({ actor: 'support', reason: 'asked' })
  await assert.rejects(ada.turn(request), { code: 'user_erased' })
  assert.equal((await ask(ada)).cache, 'miss')
  assert.equal(harness.upstream.requests.length, length + 1)
  assert.equal((await ada.ledger.quota()).count, 1)
  assert.deepEqual(
    (await ada.turns()).map(({ cache }) => cache),
    ['miss'],
  )
})

test('the ticket of a cached answer is used up, also elsewhere', async () => {
  await using harness = await openTurnHarness(on)
  const ada = await keepAnswer(harness)
  const turn = allowed(await ada.turn(request))
  const { ticket } = turn.admission
  await turn.completion()
  assert.equal(await ada.ledger.refund(ticket), false)
  await assert.rejects(ada.ledger.settle(ticket, {}), { code: 'ticket_used' })
  assert.equal((await ada.ledger.quota()).count, 3)
})

test('a reader that leaves changes nothing of what was recorded', async () => {
  await using harness = await openTurnHarness(on)
  const ada = await keepAnswer(harness)
  const turn = allowed(await ada.turn({ ...request, stream: true }))
  for await (const _ of turn.chunks) break
  await allowed(await ada.turn(request)).cancel()
  assert.deepEqual(
    (await ada.turns()).slice(0, 2).map(({ cache, outcome, weight }) => [cache, outcome, weight]),
    [
      ['hit', 'completed', 1],
      ['hit', 'completed', 1],
    ],
  )
  assert.equal((await ada.ledger.quota()).count, 4)
})

test('while the store fails, a cached answer is served to a turn that is recorded later', async () => {
  const effects = handClock()
  const store = failingStore(await openMemoryStore({ effects }))
  await using harness = await openTurnHarness({ ...on, store, effects, ledger: { onStoreFailure: 'admit' } })
  const ada = await keepAnswer(harness)
  store.isDown = true
  const turn = await ask(ada)
  assert.equal(turn.cache, 'hit')
  assert.equal(turn.admission.unrecorded, true)
  store.isDown = false
  await effects.pass(10_000)
  assert.equal((await ada.ledger.quota()).count, 3)
})
