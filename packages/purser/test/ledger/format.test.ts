import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { Bond } from '../../src/ledger/bond.ts'
import { readCheckpoint } from '../../src/ledger/checkpoint.ts'
import { Tickets } from '../../src/ledger/tickets.ts'
import type { StoredEvent, StoredRecord, UserRow } from '../../src/storage/commit.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openHouse } from '../support/ledger-harness.ts'

/** One user as a release has left them in the store, under the key of `house.ts`. Never edited, only added to. */
interface Fixture {
  readonly release: string
  readonly row: UserRow
  readonly events: readonly StoredEvent[]
  readonly notes: readonly StoredRecord[]
  readonly ticket: string
  readonly bond: Bond
  readonly checkpoint: string
}

const FIXTURES = join(import.meta.dirname, 'fixtures')
const ANN = { namespace: 'default', id: 'ann' }

describe('what earlier releases have stored', async () => {
  for (const file of await readdir(FIXTURES)) {
    const fixture = JSON.parse(await readFile(join(FIXTURES, file), 'utf8')) as Fixture
    it(`${fixture.release}: is read as it was, verifies, and can be written on (L20)`, async () => {
      const clock = handClock({ wall: '2026-03-10T12:00:04Z' })
      const store = await openMemoryStore({ effects: clock })
      await using house = await openHouse({ store, clock, dailyCap: 10, keepEvents: 12 })
      await store.users.commit(ANN, commitOf(fixture, house.journal.tag(ANN)))
      const { createdAt } = await house.of('ann').bond()
      assert.deepEqual(await house.of('ann').bond(), { ...fixture.bond, createdAt })
      assert.deepEqual(await house.of('ann').verify(), { ok: true, checked: fixture.events.length })
      assert.deepEqual(
        (await house.of('ann').notes()).map(({ text }) => text),
        ['Called.'],
      )
      assert.equal(await house.of('ann').refund(fixture.ticket), true)
      assert.equal((await house.of('ann').record('acme:n')).sequence, fixture.bond.version + 1)
      assert.equal((await house.of('ann').verify()).ok, true)
      assert.equal(new Tickets(house.keys, ANN).read(fixture.ticket).window, '2026-03-10')
      assert.equal(readCheckpoint(house.keys, 'default', fixture.checkpoint).sequence, 1)
    })
  }
})

function commitOf(
  { row, events, notes }: Fixture,
  tag: string,
): Parameters<Awaited<ReturnType<typeof openMemoryStore>>['users']['commit']>[1] {
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
    counters: row.counters,
    dropCounters: [],
    records: notes.map(({ name, value }) => ({ kind: 'note', name, value })),
    trims: [],
    replies: [],
  }
}
