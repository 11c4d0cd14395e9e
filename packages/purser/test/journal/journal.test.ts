import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import { JOURNAL_LIMITS, type JournalLimits } from '../../src/journal/limits.ts'
import type { Store, UserStore } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { openLedgerHarness } from '../support/ledger-harness.ts'

const ANN = { namespace: 'default', id: 'ann' }
const by = { actor: 'ana', reason: 'test' }

/** A memory store whose user rows are handled differently. */
async function openStoreWith(
  override: (users: UserStore) => Partial<UserStore>,
): Promise<{ store: Store; base: Store; clock: HandClock }> {
  const clock = handClock()
  const base = await openMemoryStore({ effects: clock })
  return { store: withUsers(base, override(base.users)), base, clock }
}

function withUsers(store: Store, users: Partial<UserStore>): Store {
  return { ...store, users: { ...store.users, ...users } }
}

/** A store that receives no bus messages. */
function withoutBus(store: Store): Store {
  return { ...store, bus: { publish: async () => {}, subscribe: () => () => {} } }
}

describe('group commit', () => {
  it('queued writes of a user are decided in one commit, each on the changes of those before it (BL-D19)', async () => {
    let commits = 0
    const { store, clock } = await openStoreWith((users) => ({
      commit(user, commit) {
        commits++
        return users.commit(user, commit)
      },
    }))
    await using harness = await openLedgerHarness({ store, clock })
    const admissions = await Promise.all(Array.from({ length: 50 }, () => harness.user('ann').admit()))
    assert.equal(commits, 1)
    assert.deepEqual(
      admissions.map(({ count }) => count),
      Array.from({ length: 50 }, (_, index) => index + 1),
    )
  })

  it('a slow commit of one user does not delay another user', async () => {
    const gate = Promise.withResolvers<void>()
    const { store, clock } = await openStoreWith((users) => ({
      async commit(user, commit) {
        if (user.id === 'slow') await gate.promise
        return users.commit(user, commit)
      },
    }))
    await using harness = await openLedgerHarness({ store, clock })
    const slow = harness.user('slow').admit()
    assert.equal((await harness.user('fast').admit()).allowed, true)
    gate.resolve()
    assert.equal((await slow).allowed, true)
  })

  it('of 64 queued writes only the one that violates a constraint fails', async () => {
    const { store, clock } = await openStoreWith((users) => ({
      async commit(user, commit) {
        if (commit.records.some(({ value }) => value?.includes('invalid'))) throw new Error('a constraint')
        return users.commit(user, commit)
      },
    }))
    await using harness = await openLedgerHarness({ store, clock })
    const notes = Array.from({ length: 64 }, (_, index) =>
      harness.user('ann').addNote(index === 30 ? 'invalid' : 'valid', by),
    )
    const outcomes = await Promise.allSettled(notes)
    assert.deepEqual(outcomes.map(({ status }) => status === 'rejected').indexOf(true), 30)
    assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1)
    assert.deepEqual(await harness.ledger.verify(), { ok: true, checked: 63 })
  })
})

describe('a failing store', () => {
  it('a failed read or commit changes nothing, and the next call reads what is stored (BL-D01, BL-D02, BL-D20)', async () => {
    let isBroken = false
    const unavailable = async (): Promise<never> => {
      throw new PurserError('store_unavailable', 'down')
    }
    const { store, clock } = await openStoreWith((users) => ({
      load: (user) => (isBroken ? unavailable() : users.load(user)),
      commit: (user, commit) => (isBroken ? unavailable() : users.commit(user, commit)),
    }))
    await using first = await openLedgerHarness({ store, clock })
    await first.user('ann').observe({ phase: 'warm' })
    await first.user('ann').setDailyCap(3, by)
    await using harness = await first.reopen()
    isBroken = true
    await assert.rejects(harness.user('ann').bond(), { code: 'store_unavailable' })
    await assert.rejects(harness.user('ann').admit(), { code: 'store_unavailable' })
    isBroken = false
    await harness.user('ann').admit()
    const bond = await harness.user('ann').bond()
    assert.deepEqual([bond.phase, bond.dailyCap, bond.dailyCount, bond.version], ['warm', 3, 1, 2])
    isBroken = true
    await assert.rejects(harness.user('ann').admit(), { code: 'store_unavailable' })
    isBroken = false
    assert.equal((await harness.user('ann').quota()).count, 1)
  })

  it('of two overlapping reads the later one is cached, whichever ends first', async () => {
    await using one = await openLedgerHarness()
    await one.user('ann').setDailyCap(10, by)
    const reads: PromiseWithResolvers<void>[] = []
    const slow = withUsers(one.store, {
      async load(user) {
        const row = await one.store.users.load(user)
        const read = Promise.withResolvers<void>()
        reads.push(read)
        await read.promise
        return row
      },
    })
    await using two = await one.openPeer({ store: slow })
    const early = two.user('ann').bond()
    while (reads.length < 1) await Promise.resolve()
    await one.user('ann').setDailyCap(20, by)
    const late = two.user('ann').bond()
    while (reads.length < 2) await Promise.resolve()
    reads[0]?.resolve()
    assert.equal((await early).dailyCap, 10)
    reads[1]?.resolve()
    assert.equal((await late).dailyCap, 20)
    assert.equal((await two.user('ann').bond()).dailyCap, 20)
    assert.equal(reads.length, 2, 'The later read is cached.')
  })
})

describe('conflicts between processes', () => {
  it('a refusal is decided on the stored state even if the bus message was lost (BL-D04)', async () => {
    await using one = await openLedgerHarness({ dailyCap: 1 })
    await using two = await one.openPeer({ store: withoutBus(one.store) })
    assert.equal((await two.user('ann').admit()).allowed, true)
    assert.equal((await two.user('ann').admit()).allowed, false)
    await one.user('ann').setDailyCap(2, by)
    assert.equal((await two.user('ann').admit()).allowed, true)
    assert.equal((await two.user('ann').admit()).allowed, false)
    await one.user('ann').block(by)
    const refused = await two.user('ann').admit()
    assert.equal(!refused.allowed && refused.reason, 'blocked')
    await one.user('ann').unblock(by)
    await one.user('ann').setDailyCap(3, by)
    assert.equal((await two.user('ann').admit()).allowed, true)
  })

  it('onReplay is called once even if a conflict makes the journal decide again', async () => {
    let conflicts = 0
    const { store, clock } = await openStoreWith((users) => ({
      async commit(user, commit) {
        return conflicts-- > 0 ? { ok: false } : users.commit(user, commit)
      },
    }))
    await using harness = await openLedgerHarness({ store, clock })
    await harness.user('ann').admit({ idempotencyKey: 'k' })
    conflicts = 2
    let replays = 0
    const repeat = harness.user('ann').admit({ idempotencyKey: 'k', onReplay: () => replays++ })
    await Promise.all([repeat, harness.user('ann').admit()])
    assert.equal(conflicts, -1)
    assert.equal(replays, 1)
  })

  it('a write fails after eight conflicts', async () => {
    let commits = 0
    const { store, clock } = await openStoreWith(() => ({
      async commit() {
        commits++
        return { ok: false }
      },
    }))
    await using harness = await openLedgerHarness({ store, clock })
    await assert.rejects(harness.user('ann').admit(), { code: 'store_unavailable', retryable: true })
    assert.equal(commits, 8)
  })

  it('after four conflicts a write takes the write lock, and releases it', async () => {
    let [conflicts, locks, released] = [0, 0, 0]
    const { store, clock } = await openStoreWith((users) => ({
      async commit() {
        conflicts++
        return { ok: false }
      },
      async lockWrites() {
        locks++
        // The first lock expires before the commit.
        const commit = locks === 1 ? async () => ({ ok: false }) as const : users.commit
        return { commit, erase: users.erase, release: async () => void released++ }
      },
    }))
    await using harness = await openLedgerHarness({ store, clock })
    assert.equal((await harness.user('ann').admit()).count, 1)
    assert.deepEqual([conflicts, locks, released], [4, 2, 2])
  })
})

describe('erasure', () => {
  it('a write that conflicts with an erasure rejects and does not recreate the user', async () => {
    let concurrently: (() => Promise<unknown>) | undefined
    const { store, base, clock } = await openStoreWith((users) => ({
      async commit(user, commit) {
        const once = concurrently
        concurrently = undefined
        await once?.()
        return users.commit(user, commit)
      },
    }))
    await using other = await openLedgerHarness({ store: base, clock })
    await other.user('ann').observe({ phase: 'warm' })
    concurrently = () => other.erase('ann')
    await using harness = await openLedgerHarness({ store, clock })
    await assert.rejects(harness.user('ann').addNote('late', by), { code: 'user_erased' })
    assert.equal((await other.user('ann').bond()).exists, false)
    assert.equal((await harness.user('ann').admit()).allowed, true)
    assert.equal((await harness.user('ann').bond()).phase, 'dormant')
  })

  it('concurrent erasures leave a valid namespace log without ids, and count incarnations', async () => {
    await using harness = await openLedgerHarness()
    const ids = Array.from({ length: 40 }, (_, index) => `user-${index}`)
    await Promise.all(ids.map((id) => harness.user(id).admit()))
    await Promise.all(ids.map((id) => harness.erase(id)))
    await harness.erase('user-0')
    const log = await harness.store.events.newest({ namespace: 'default', id: '' }, { limit: 100 })
    assert.equal(log.length, 41)
    assert.ok(log.every(({ body }) => !body.includes('user-')))
    assert.deepEqual(await harness.ledger.verify(), { ok: true, checked: 41 })
    await harness.user('user-0').admit()
    assert.equal((await harness.store.users.load({ namespace: 'default', id: 'user-0' }))?.incarnation, 3)
  })

  it('an erasure runs after the writes queued before it and before those queued after it', async () => {
    await using harness = await openLedgerHarness()
    const before = harness.user('ann').observe({ phase: 'warm' })
    const erasure = harness.erase('ann')
    const after = harness.user('ann').admit()
    assert.equal((await before).bond.phase, 'warm')
    await erasure
    assert.equal((await after).count, 1)
    assert.equal((await harness.user('ann').bond()).phase, 'dormant')
  })
})

describe('limits', () => {
  it('the write queue of a user is bounded', async () => {
    const limits: JournalLimits = { ...JOURNAL_LIMITS, maxCachedUsers: 10, maxWritesPerCommit: 2, maxQueuedWrites: 5 }
    await using harness = await openLedgerHarness({ journalLimits: limits })
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => harness.user('ann').admit()))
    assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 3)
    assert.equal((await harness.user('ann').quota()).count, 5)
  })

  it('expired replies of all users are removed', async () => {
    const limits: JournalLimits = { ...JOURNAL_LIMITS, maxCachedUsers: 10, replyTtlMs: 1_000, repliesPerSweep: 4 }
    const store = await openMemoryStore({ effects: handClock() })
    const ids = ['ann', 'bob', 'cid', 'dan', 'eve']
    {
      await using harness = await openLedgerHarness({ journalLimits: limits, store })
      for (const id of ids.slice(0, 3)) await harness.user(id).admit({ idempotencyKey: 'k' })
      harness.clock.advance(1_000)
      for (const id of ids.slice(3)) await harness.user(id).admit({ idempotencyKey: 'k' })
    }
    const replies = await Promise.all(ids.map((id) => store.users.reply({ ...ANN, id }, 'admit:k')))
    assert.deepEqual(
      replies.map((reply) => reply !== undefined),
      [false, false, false, true, true],
    )
  })

  it('closing completes queued writes and rejects new ones', async () => {
    const store = await openMemoryStore({ effects: handClock() })
    const harness = await openLedgerHarness({ store })
    const queued = harness.user('ann').admit()
    await harness[Symbol.asyncDispose]()
    assert.equal((await queued).allowed, true)
    await assert.rejects(harness.user('ann').admit(), { code: 'closed' })
    assert.equal((await store.users.load(ANN))?.revision, 1)
  })
})
