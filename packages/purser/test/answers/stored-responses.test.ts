import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createUserResponses, type UserResponses } from '../../src/answers/stored-responses.ts'
import { createSubject } from '../../src/core/subject.ts'
import { DRIVERS, type Driver, type LedgerHarness, openLedgerHarness } from '../support/ledger-harness.ts'

const USERS = ['ada', 'bob'] as const
type UserId = (typeof USERS)[number]
const MIB = 1_048_576
const NUM_RUNS: Readonly<Record<Driver, number>> = { memory: 40, sqlite: 4, postgres: 2, redis: 2 }
const RUN_FACTOR = process.env.PURSER_TEST_FULL === '1' ? 25 : 1

/** The responses of a user, as one of several processes sees them. */
function responsesIn({ journal, store, clock }: LedgerHarness, id: string): UserResponses {
  const now = (): number => clock.now()
  return createUserResponses({ journal, reader: store.users, now }, createSubject('default', id))
}

let made = 0
function idOf(number: number): string {
  return `resp_${number.toString(16).padStart(32, '0')}`
}

interface Options {
  readonly ttlMs?: number
  readonly maxPerUser?: number
  readonly bytes?: number
  readonly input?: readonly unknown[]
  readonly incarnation?: number
}

async function keep(
  responses: UserResponses,
  { ttlMs = 60_000, maxPerUser = 3, bytes = 10, input = [], incarnation = 1 }: Options = {},
): Promise<string | undefined> {
  const id = idOf(made++)
  const output = [{ id: `msg_${id}`, type: 'message', text: 'x'.repeat(bytes) }]
  const isStored = await responses.keep(
    { id, input, response: { id, object: 'response', output } },
    { ttlMs, maxPerUser, incarnation },
  )
  return isStored ? id : undefined
}

/** What should be there: ids, oldest first. */
interface Model {
  readonly [user: string]: { id: string; expiresAt: number; incarnation: number }[]
}

type Step =
  | { readonly kind: 'keep'; readonly user: UserId; readonly ttlMs: number; readonly peer: 0 | 1 }
  | {
      readonly kind: 'delete'
      readonly user: UserId
      readonly of: UserId
      readonly index: number
      readonly peer: 0 | 1
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'erase'; readonly user: UserId }

const user = fc.constantFrom(...USERS)
const peer = fc.constantFrom<0 | 1>(0, 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('keep' as const), user, peer, ttlMs: fc.constantFrom(5_000, 60_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), user, of: user, index: fc.nat(3), peer }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 4_999, 5_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('erase' as const), user }) },
)

for (const driver of DRIVERS) {
  test(`${driver}: kept responses behave like a bounded list of each user, in two processes`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await using one = await openLedgerHarness({ driver })
        await using two = await one.openPeer({ store: one.store })
        const processes = [one, two] as const
        for (const id of USERS) await one.user(id).admit()
        const model: Model = { ada: [], bob: [] }
        const everMade = { ada: [] as string[], bob: [] as string[] }
        const incarnations = { ada: 1, bob: 1 }
        for (const next of steps) {
          const now = one.clock.now()
          if (next.kind === 'wait') one.clock.advance(next.ms)
          else if (next.kind === 'erase') {
            await one.erase(next.user)
            await one.user(next.user).admit()
            incarnations[next.user]++
            model[next.user]?.splice(0)
          } else if (next.kind === 'keep') {
            const incarnation = incarnations[next.user]
            const responses = responsesIn(processes[next.peer], next.user)
            const id = await keep(responses, { ttlMs: next.ttlMs, incarnation })
            assert.ok(id)
            everMade[next.user].push(id)
            const list = model[next.user] ?? []
            const rest = list.filter(({ expiresAt }) => expiresAt > now).slice(-2)
            list.splice(0, list.length, ...rest, { id, expiresAt: now + next.ttlMs, incarnation })
          } else {
            const id = everMade[next.of].at(-1 - next.index) ?? idOf(0xffff_ffff)
            const list = model[next.user] ?? []
            const at = list.findIndex((stored) => stored.id === id)
            const isThere = (list[at]?.expiresAt ?? 0) > now
            assert.equal(await responsesIn(processes[next.peer], next.user).delete(id), isThere)
            if (at !== -1) list.splice(at, 1)
          }
          await check(processes, { model, everMade })
        }
      }),
      { numRuns: NUM_RUNS[driver] * RUN_FACTOR },
    )
  })
}

async function check(
  processes: readonly LedgerHarness[],
  { model, everMade }: { readonly model: Model; readonly everMade: Readonly<Record<UserId, readonly string[]>> },
): Promise<void> {
  for (const id of USERS) {
    for (const harness of processes) {
      const responses = responsesIn(harness, id)
      const now = harness.clock.now()
      const expected = (model[id] ?? []).filter(({ expiresAt }) => expiresAt > now).map((stored) => stored.id)
      const found: string[] = []
      for (const made of [...everMade.ada, ...everMade.bob]) {
        if ((await responses.get(made)) !== undefined) found.push(made)
      }
      assert.deepEqual(found.toSorted(), expected.toSorted())
      const exported: string[] = []
      for await (const { value } of responses.exportRows()) exported.push(value.id)
      assert.deepEqual(exported.toSorted(), expected.toSorted())
      const items = await responses.findItems(new Set([...everMade.ada, ...everMade.bob].map((made) => `msg_${made}`)))
      assert.deepEqual([...items.keys()].toSorted(), expected.map((one) => `msg_${one}`).toSorted())
    }
  }
}

test('a response beyond its size is not stored, and the oldest go when all of a user are too large together', async () => {
  await using harness = await openLedgerHarness()
  await harness.user('ada').admit()
  const responses = responsesIn(harness, 'ada')
  assert.equal(await keep(responses, { bytes: 2 * MIB }), undefined)
  const ids: (string | undefined)[] = []
  for (let count = 0; count < 20; count++) ids.push(await keep(responses, { bytes: 1.5 * MIB, maxPerUser: 1_000 }))
  const found = await Promise.all(ids.map(async (id) => (await responses.get(id ?? '')) !== undefined))
  assert.deepEqual(found, [...Array(10).fill(false), ...Array(10).fill(true)])
  const records = await harness.store.users.records(createSubject('default', 'ada'), 'response', {
    limit: 100,
    order: 'ascending',
  })
  assert.equal(records.length, 10)
})

test('nothing is kept for a user who was erased while the answer was made, and the erasure counts what was kept', async () => {
  await using harness = await openLedgerHarness({ driver: 'sqlite' })
  await harness.user('ada').admit()
  const responses = responsesIn(harness, 'ada')
  const first = await keep(responses)
  await keep(responses)
  const counts = await harness.erase('ada')
  assert.equal(counts.response, 2)
  await assert.rejects(keep(responses), { code: 'user_erased' })
  assert.equal(await responses.get(first ?? ''), undefined)
})

test('a strange id is no response and reaches no store', async () => {
  await using harness = await openLedgerHarness()
  await harness.user('ada').admit()
  const responses = responsesIn(harness, 'ada')
  for (const id of ['', 'resp_', 'resp_\0', `resp_${'0'.repeat(33)}`, '../x', 'RESP_'.padEnd(37, '0'), '__proto__']) {
    assert.equal(await responses.get(id), undefined)
    assert.equal(await responses.delete(id), false)
  }
})

test('items are found in the newest response that has them, with those before it', async () => {
  await using harness = await openLedgerHarness()
  await harness.user('ada').admit()
  const responses = responsesIn(harness, 'ada')
  const first = await keep(responses, { maxPerUser: 1 })
  const item = { id: `msg_${first}`, type: 'message', text: 'of the first' }
  const second = await keep(responses, { maxPerUser: 1, input: [item] })
  assert.equal(await responses.get(first ?? ''), undefined)
  const found = await responses.findItems(new Set([`msg_${first}`, `msg_${second}`, 'msg_unknown']))
  assert.deepEqual([...found.keys()], [`msg_${first}`, `msg_${second}`])
  assert.deepEqual(found.get(`msg_${first}`), item)
  assert.equal((await responses.findItems(new Set(['msg_unknown']))).size, 0)
})
