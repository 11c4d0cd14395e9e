import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKeyring } from '../../src/core/keyring.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { Write } from '../../src/journal/api.ts'
import { type OpenJournal, openJournal } from '../../src/journal/journal.ts'
import { JOURNAL_LIMITS, type JournalLimits } from '../../src/journal/limits.ts'
import type { Commit } from '../../src/storage/commit.ts'
import type { Store } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { type CountData, countingFold, ROOT } from '../drivers/children/counting-fold.ts'

const ANN = { namespace: 'default', id: 'ann' }
const BOB = { namespace: 'default', id: 'bob' }

/** Adds 1 to the user's steps. */
const STEP: Write<CountData, number> = {
  decide: ({ usage: { steps = 0 } }) => ({ usage: { steps: steps + 1 }, result: () => steps + 1 }),
}

interface Setup extends AsyncDisposable {
  readonly journal: OpenJournal<CountData>
  readonly store: Store
  readonly clock: HandClock
  readonly commits: Commit[]
  /** The stored steps of a user, without the journal. */
  stored(user?: { namespace: string; id: string }): Promise<number>
  /** What commits do from now on; undefined: they are written. */
  fault: (() => Promise<never>) | undefined
}

async function open(limits: Partial<JournalLimits> = {}): Promise<Setup> {
  const clock = handClock()
  const base = await openMemoryStore({ effects: clock })
  const commits: Commit[] = []
  const store: Store = {
    ...base,
    users: {
      ...base.users,
      async commit(user, commit) {
        if (setup.fault !== undefined) return setup.fault()
        commits.push(commit)
        return base.users.commit(user, commit)
      },
    },
  }
  const journal = openJournal({
    store,
    keys: createKeyring(ROOT),
    effects: clock,
    fold: countingFold,
    limits: { ...JOURNAL_LIMITS, ...limits },
  })
  const setup: Setup = {
    journal,
    store,
    clock,
    commits,
    fault: undefined,
    async stored(user = ANN) {
      const { steps = 0 } = JSON.parse((await base.users.load(user))?.usage ?? '{}')
      return steps
    },
    [Symbol.asyncDispose]: () => journal.close(),
  }
  return setup
}

/** Resolves when everything that does not wait for the clock has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))))
}

describe('a deferred write', () => {
  it('is committed after 50 ms if the user writes nothing else', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    setup.journal.defer(ANN, STEP)
    setup.clock.advance(49)
    await settled()
    assert.equal(await setup.stored(), 1)
    setup.clock.advance(1)
    await settled()
    assert.equal(await setup.stored(), 2)
    assert.equal(setup.commits.length, 2)
  })

  it('joins the next commit of its user, and is decided before it', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    for (let count = 0; count < 3; count++) setup.journal.defer(ANN, STEP)
    assert.equal(await setup.journal.write(ANN, STEP), 5)
    assert.equal(setup.commits.length, 2)
    setup.clock.advance(50)
    await settled()
    assert.equal(setup.commits.length, 2)
  })

  it('joins a write that has to read records, and an idempotent one', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    setup.journal.defer(ANN, STEP)
    assert.equal(await setup.journal.write(ANN, { ...STEP, reads: [{ kind: 'note', name: 'n' }] }), 3)
    setup.journal.defer(ANN, STEP)
    assert.equal(await setup.journal.write(ANN, { ...STEP, idempotency: { key: 'k', body: null } }), 5)
    assert.equal(setup.commits.length, 3)
  })

  it('is seen by the next read of its user in this process', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    setup.journal.defer(ANN, STEP)
    assert.equal((await setup.journal.read(ANN)).usage.steps, 2)
    setup.journal.defer(BOB, STEP)
    assert.equal((await setup.journal.read(BOB)).usage.steps, 1)
  })

  it('is seen by a read while it is being committed', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    setup.journal.defer(ANN, STEP)
    setup.clock.advance(50)
    assert.equal((await setup.journal.read(ANN)).usage.steps, 2)
  })

  it('is committed when the journal is closed', async () => {
    const setup = await open()
    await setup.journal.write(ANN, STEP)
    setup.journal.defer(ANN, STEP)
    setup.journal.defer(BOB, STEP)
    await setup.journal.close()
    assert.deepEqual([await setup.stored(), await setup.stored(BOB)], [2, 1])
    setup.journal.defer(ANN, STEP)
    assert.equal(await setup.stored(), 2)
  })

  it('is committed before an erasure, and does not create the user again after it', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    const { incarnation } = await setup.journal.read(ANN)
    setup.journal.defer(ANN, { ...STEP, incarnation })
    await setup.journal.erase(ANN, () => ({ type: 'user_erased', detail: '', data: {} }))
    assert.equal(setup.commits.length, 2)
    setup.journal.defer(ANN, { ...STEP, incarnation })
    setup.clock.advance(50)
    await settled()
    assert.equal(await setup.store.users.load(ANN), undefined)
  })

  it('is committed when it is due, not with those that are due later', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    await setup.journal.write(BOB, STEP)
    setup.journal.defer(ANN, STEP)
    setup.clock.advance(20)
    setup.journal.defer(BOB, STEP)
    // The first one decides when a user is due.
    setup.journal.defer(ANN, STEP)
    setup.clock.advance(30)
    await settled()
    assert.deepEqual([await setup.stored(), await setup.stored(BOB)], [3, 1])
    setup.clock.advance(20)
    await settled()
    assert.deepEqual([await setup.stored(), await setup.stored(BOB)], [3, 2])
    assert.equal(setup.commits.length, 4)
  })

  it('is committed with those that are due at nearly the same time', async () => {
    await using setup = await open()
    setup.journal.defer(ANN, STEP)
    setup.clock.advance(4)
    setup.journal.defer(BOB, STEP)
    setup.clock.advance(46)
    await settled()
    assert.deepEqual([await setup.stored(), await setup.stored(BOB)], [1, 1])
  })

  it('is committed at once when there are 256 of all users, those first that wait longest', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    for (let count = 0; count < 255; count++) setup.journal.defer(count % 2 === 0 ? ANN : BOB, STEP)
    await settled()
    assert.equal(await setup.stored(), 1)
    setup.journal.defer(ANN, STEP)
    await settled()
    assert.deepEqual([await setup.stored(), await setup.stored(BOB)], [130, 0])
    assert.equal(setup.commits.length, 2)
    for (let count = 0; count < 129; count++) setup.journal.defer(BOB, STEP)
    await settled()
    assert.deepEqual([await setup.stored(), await setup.stored(BOB)], [130, 256])
  })

  it('whose decision throws is dropped alone', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    setup.journal.defer(ANN, {
      decide: () => {
        throw new PurserError('ticket_used', 'used')
      },
    })
    setup.journal.defer(ANN, STEP)
    assert.equal(await setup.journal.write(ANN, STEP), 3)
  })

  it('is decided again after a conflict with another process', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    const other = openJournal({
      store: { ...setup.store, bus: { publish: async () => {}, subscribe: () => () => {} } },
      keys: createKeyring(ROOT),
      effects: setup.clock,
      fold: countingFold,
    })
    await other.read(ANN)
    await setup.journal.write(ANN, STEP)
    other.defer(ANN, STEP)
    await other.close()
    assert.equal(await setup.stored(), 3)
  })

  it('is dropped when the store fails, and never written twice', async () => {
    await using setup = await open()
    await setup.journal.write(ANN, STEP)
    setup.fault = async () => {
      throw new PurserError('store_unavailable', 'down')
    }
    setup.journal.defer(ANN, STEP)
    setup.clock.advance(50)
    await settled()
    setup.fault = undefined
    setup.clock.advance(1_000)
    assert.equal(await setup.journal.write(ANN, STEP), 2)
  })
})
