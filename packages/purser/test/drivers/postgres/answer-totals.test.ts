import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import pg from 'pg'
import { migrate } from '../../../src/drivers/postgres/migrate.ts'
import { MIGRATIONS } from '../../../src/drivers/postgres/migrations/index.ts'
import type { AnswerStore, NewAnswer } from '../../../src/storage/answer-store.ts'
import { mustCommit } from '../../../src/testing/store-contract/samples.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { noPostgres, openPostgres, sharedPostgres } from '../../support/postgres-server.ts'

const NAMESPACE = 'totals'
const OWNERS = ['ann', 'bob', 'eve']
const MAC_KEY = Buffer.alloc(32, 1)
const LIMITS = { maxEntries: 100, maxBytes: 9_000, now: 1_000 }

/** Writes, uses and forgets answers in an order that depends on `start`. */
async function useAnswers(answers: AnswerStore, start: number, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const number = (start * 7_919 + step * 104_729) % 1_000_003
    const owner = OWNERS[number % OWNERS.length] ?? ''
    const scope = { namespace: NAMESPACE, owner }
    const generation = await answers.generation(scope)
    const rows: NewAnswer[] = Array.from({ length: 1 + (number % 30) }, (_, index) => ({
      owner,
      key: `${owner} ${(number + index * 13) % 150}`,
      generation,
      storedAt: step,
      expiresAt: number % 4 === 0 ? LIMITS.now - 1 : null,
      bytes: 50 + (number % 90),
      value: '1',
    }))
    await answers.put({ namespace: NAMESPACE, rows, limits: LIMITS, macKey: MAC_KEY })
    await answers.touch(NAMESPACE, rows)
    if (number % 5 === 0) await answers.remove(scope, rows[0]?.key ?? '')
    if (number % 7 === 0) await answers.forget(scope)
    if (number % 11 === 0) await answers.sweep(NAMESPACE, { now: LIMITS.now, limit: 20 })
    if (number % 41 === 0) await answers.clear(NAMESPACE)
  }
}

async function countRows(answers: AnswerStore): Promise<{ readonly entries: number; readonly bytes: number }> {
  const pages = await Promise.all(
    OWNERS.map((owner) => answers.page({ namespace: NAMESPACE, owner }, { after: '', limit: 1_000 })),
  )
  const rows = pages.flat()
  return { entries: rows.length, bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0) }
}

describe('totals of answers in PostgreSQL', { skip: noPostgres }, () => {
  test('are those of the rows, and within the limits, with several connections that write at once', async () => {
    printSeed('totals of answers')
    const url = (await sharedPostgres()).url()
    const stores = await Promise.all([openPostgres(url), openPostgres(url)])
    const writers = [...stores, ...stores].map(({ answers }, index) =>
      useAnswers(answers, seed + index, rounds(500, 15)),
    )
    await Promise.all(writers)
    const [{ answers } = assert.fail()] = stores
    // The last step of a writer may have cleared the cache: one more answer, so that there is something to count.
    const generation = await answers.generation({ namespace: NAMESPACE, owner: 'ann' })
    const row = { owner: 'ann', key: 'last', generation, storedAt: 0, expiresAt: null, bytes: 50, value: '1' }
    await answers.put({ namespace: NAMESPACE, rows: [row], limits: LIMITS, macKey: MAC_KEY })
    const { entries, bytes } = answers.totals(NAMESPACE, LIMITS.now)
    assert.deepEqual({ entries, bytes }, await countRows(answers))
    assert.ok(entries > 0 && entries <= LIMITS.maxEntries && bytes <= LIMITS.maxBytes)
    await Promise.all(stores.map((store) => store.close()))
  })

  test('a limit that was lowered a lot holds after the next batch', async () => {
    const store = await openPostgres()
    const { answers } = store
    const rowsFrom = (first: number): NewAnswer[] =>
      Array.from({ length: 5_000 }, (_, index) => ({
        owner: 'ann',
        key: String(first + index),
        generation: 1,
        storedAt: 0,
        expiresAt: null,
        bytes: 1,
        value: '1',
      }))
    const limits = { maxEntries: 1_000_000, maxBytes: 1_000_000, now: 0 }
    for (const first of [10_000, 20_000, 30_000])
      await answers.put({ namespace: NAMESPACE, rows: rowsFrom(first), limits, macKey: MAC_KEY })
    const lowered = { ...limits, maxEntries: 10 }
    const { evicted } = await answers.put({ namespace: NAMESPACE, rows: [], limits: lowered, macKey: MAC_KEY })
    assert.equal(evicted.length, 14_990)
    assert.deepEqual(answers.totals(NAMESPACE, 0), { entries: 10, bytes: 10, expired: 0 })
    await store.close()
  })
})

test('a schema of the first version is migrated, with its users', { skip: noPostgres }, async () => {
  const server = await sharedPostgres()
  const url = server.url()
  const schema = new URL(url).searchParams.get('schema') ?? ''
  const client = new pg.Client({ connectionString: url.split('?')[0] })
  await client.connect()
  await migrate(client as unknown as Parameters<typeof migrate>[0], { schema: `"${schema}"` }, MIGRATIONS.slice(0, 1))
  const commit = JSON.stringify({ namespace: NAMESPACE, id: 'ann', incarnation: 1, tag: 't', at: 1, seenAt: 1 })
  const facets = '{"phase":"p","riskLevel":"r","blocked":false,"capUsed":0,"capUsedUntil":0,"peak":0}'
  const lists = '{"events":[],"records":[],"trims":[],"replies":[]}'
  const text = `SELECT ${schema}.apply_commit(($1::jsonb || '${facets}' || '${lists}')::json)`
  await client.query(text, [commit])
  await client.end()
  const store = await openPostgres(url)
  assert.equal(await mustCommit(store, { namespace: NAMESPACE, id: 'ann' }, { expect: 1 }), 2)
  await useAnswers(store.answers, 1, 2)
  await store.close()
})
