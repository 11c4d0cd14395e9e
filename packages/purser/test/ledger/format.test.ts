import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { Bond } from '../../src/ledger/bond.ts'
import { parseCheckpoint } from '../../src/ledger/checkpoint.ts'
import { Tickets } from '../../src/ledger/tickets.ts'
import type { Commit, StoredEvent, StoredRecord, UserRow } from '../../src/storage/commit.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openLedgerHarness } from '../support/ledger-harness.ts'

/** One user as stored by a release, under the root key of the harness. Fixtures are added, never edited. */
interface Fixture {
  readonly release: string
  readonly row: Omit<UserRow, 'usage'> & { readonly counters: readonly Counter[] }
  readonly events: readonly StoredEvent[]
  readonly notes: readonly StoredRecord[]
  readonly ticket: string
  readonly bond: Bond
  readonly checkpoint: string
}

/** The rows in which usage was stored until 0.1.0. */
interface Counter {
  readonly limit: string
  readonly window: string
  readonly value: number
}

const FIXTURES = join(import.meta.dirname, 'fixtures')
const ANN = { namespace: 'default', id: 'ann' }

describe('data of earlier releases', async () => {
  for (const file of await readdir(FIXTURES)) {
    const fixture = JSON.parse(await readFile(join(FIXTURES, file), 'utf8')) as Fixture
    it(`${fixture.release}: can be read, verified and written`, async () => {
      const clock = handClock({ wall: '2026-03-10T12:00:04Z' })
      const store = await openMemoryStore({ effects: clock })
      await using harness = await openLedgerHarness({ store, clock, dailyCap: 10, keepEvents: 12 })
      const ann = harness.user('ann')
      await store.users.commit(ANN, commitOf(fixture, harness.journal.tag(ANN)))
      const { createdAt } = await ann.bond()
      assert.deepEqual(await ann.bond(), { ...fixture.bond, createdAt, plan: null, planOrigin: 'default' })
      assert.deepEqual(await ann.verify(), { ok: true, checked: fixture.events.length })
      assert.deepEqual(
        (await ann.notes()).map(({ text }) => text),
        ['Called.'],
      )
      assert.equal(await ann.refund(fixture.ticket), true)
      assert.equal((await ann.record('acme:n')).sequence, fixture.bond.version + 1)
      assert.equal((await ann.verify()).ok, true)
      assert.equal(new Tickets(harness.keys, ANN).decode(fixture.ticket).weight, 1)
      assert.equal(parseCheckpoint(harness.keys, 'default', fixture.checkpoint).sequence, 1)
    })
  }
})

function commitOf({ row, events, notes }: Fixture, tag: string): Commit {
  assert.ok(row.head !== null && row.headMac !== null && row.state !== null && row.measured !== null)
  return {
    expect: null,
    incarnation: row.incarnation,
    tag,
    at: row.stamps.updatedAt,
    seenAt: row.stamps.seenAt,
    facets: { phase: '', riskLevel: '', blocked: false, capUsed: 0, capUsedUntil: null, peak: 0 },
    folded: { head: row.head, headMac: row.headMac, state: row.state },
    measured: row.measured,
    events,
    usage: JSON.stringify(usageOf(row.counters)),
    records: notes.map(({ name, value }) => ({ kind: 'note', name, value })),
    trims: [],
    replies: [],
  }
}

function usageOf(counters: readonly Counter[]): unknown {
  const usage: Record<string, Record<string, number>> = {}
  for (const { limit, window, value } of counters) usage[limit] = { ...usage[limit], [window]: value }
  return usage
}
