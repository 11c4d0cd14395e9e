import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createAnswerMac } from '../../src/storage/answer-mac.ts'
import type { AnswerRow, AnswerStore, NewAnswer } from '../../src/storage/answer-store.ts'
import { drivers } from '../support/answers-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('answer stores')

const openers = Object.values(drivers)

const OWNERS = ['first', 'second', 'third']
const NAMESPACES = ['one', 'two']
/** More rows than a segment has, so that runs, moves and counts cross segments. */
const KEYS = 900
const MAX_ENTRIES = 600
const MAX_BYTES = 70_000
const MAC_KEY = Buffer.alloc(32, 1)
const macOf = createAnswerMac(MAC_KEY)

type Step =
  | { readonly call: 'put'; readonly keys: readonly number[]; readonly bytes: number; readonly ttl: number | null }
  | { readonly call: 'touch'; readonly keys: readonly number[] }
  | { readonly call: 'remove' | 'forget'; readonly key: number }
  | { readonly call: 'clear' | 'sweep' }

const key = fc.nat({ max: KEYS - 1 })
/** Different keys that are spread over all of them; as many as a batch has. */
const keys = fc
  .tuple(key, fc.integer({ min: 1, max: 256 }))
  .map(([first, count]) => Array.from({ length: count }, (_, index) => (first + 7 * index) % KEYS))
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      call: fc.constant('put' as const),
      keys,
      bytes: fc.constantFrom(50, 100, 400),
      ttl: fc.constantFrom(null, 3, 20),
    }),
  },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('touch' as const), keys }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constantFrom('remove' as const, 'forget' as const), key }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constantFrom('clear' as const, 'sweep' as const) }) },
)

const useOf = (key: number): { readonly owner: string; readonly key: string } => ({
  owner: OWNERS[key % OWNERS.length] as string,
  key: `key ${key}`,
})

/** Runs a step on one store; the result has to be the same for each of them. */
async function run(store: AnswerStore, namespace: string, step: Step, now: number): Promise<unknown> {
  switch (step.call) {
    case 'put': {
      const rows = await Promise.all(
        step.keys.map(async (key): Promise<NewAnswer> => {
          const use = useOf(key)
          const generation = await store.generation({ namespace, owner: use.owner })
          const expiresAt = step.ttl === null ? null : now + step.ttl
          return {
            ...use,
            generation: generation - (key % 50 === 0 ? 1 : 0),
            storedAt: now,
            expiresAt,
            bytes: step.bytes,
            value: `${now}`,
          }
        }),
      )
      const limits = { maxEntries: MAX_ENTRIES, maxBytes: MAX_BYTES, now }
      return store.put({ namespace, rows, limits, macKey: MAC_KEY })
    }
    case 'touch':
      return store.touch(namespace, step.keys.map(useOf))
    case 'remove': {
      const { owner, key } = useOf(step.key)
      return store.remove({ namespace, owner }, key)
    }
    case 'forget': {
      // Rows that have expired may be deleted or not, which the number of forgotten rows shows.
      await sweep(store, namespace, now)
      return store.forget({ namespace, owner: useOf(step.key).owner })
    }
    case 'clear':
      await sweep(store, namespace, now)
      return store.clear(namespace)
    case 'sweep':
      return sweep(store, namespace, now)
  }
}

async function sweep(store: AnswerStore, namespace: string, now: number): Promise<void> {
  while ((await store.sweep(namespace, { now, limit: 100 })) === 100);
}

/** All that is live, by pages of different sizes. */
async function contents(store: AnswerStore, namespace: string, now: number): Promise<unknown> {
  const rows: AnswerRow[] = []
  for (const owner of OWNERS) {
    for (let after = '', page: readonly AnswerRow[] = []; ; after = page.at(-1)?.key ?? '') {
      page = await store.page({ namespace, owner }, { after, limit: 70 })
      for (const { mac, ...row } of page)
        assert.equal(mac, macOf(namespace, { ...row, owner }), 'the MAC is that of the row')
      rows.push(...page)
      if (page.length < 70) break
    }
  }
  // Removes nothing, and shows a process that reads the totals from a server the current ones.
  await store.sweep(namespace, { now, limit: 0 })
  const { entries, bytes, expired } = store.totals(namespace, now)
  const isExpired = ({ expiresAt }: AnswerRow): boolean => expiresAt !== null && expiresAt < now
  assert.equal(entries, rows.length, 'the total is the number of rows')
  assert.equal(
    bytes,
    rows.reduce((sum, row) => sum + row.bytes, 0),
    'the bytes are those of the rows',
  )
  assert.equal(expired, rows.filter(isExpired).length, 'the expired ones are counted')
  assert.ok(entries <= MAX_ENTRIES && bytes <= MAX_BYTES)
  return rows.filter((row) => !isExpired(row)).map(({ key, value }) => [key, value])
}

test('the drivers store, evict, forget and count answers alike, across segments and namespaces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...NAMESPACES), anyStep), { minLength: 10, maxLength: 40 }),
      async (steps) => {
        const opened = await Promise.all(openers.map((open) => open()))
        try {
          let now = 1_000
          for (const [namespace, step] of steps) {
            now++
            const [memory, ...others] = await Promise.all(
              opened.map(async ({ store }) => {
                const result = await run(store, namespace, step, now)
                return { result, contents: await contents(store, namespace, now) }
              }),
            )
            for (const other of others) assert.deepEqual(other, memory, `after ${step.call}`)
          }
        } finally {
          for (const { close } of opened) await close()
        }
      },
    ),
    { numRuns: rounds(1_000, 15), seed },
  )
})
