import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { Store, UserStore } from '../../src/storage/store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { erase, openHouse } from '../support/ledger-harness.ts'

const ANN = { namespace: 'default', id: 'ann' }
const by = { actor: 'ana', reason: 'test' }

/** A store whose user rows are handled differently. */
function storeWith(store: Store, users: Partial<UserStore>): Store {
  return { ...store, users: { ...store.users, ...users } }
}

describe('the journal', () => {
  it('decides waiting writes of a user in one commit, and each sees the ones before it (BL-D19)', async () => {
    const clock = handClock()
    const plain = await openMemoryStore({ effects: clock })
    let commits = 0
    const store = storeWith(plain, {
      commit(user, commit) {
        commits++
        return plain.users.commit(user, commit)
      },
    })
    await using house = await openHouse({ store, clock })
    const admissions = await Promise.all(Array.from({ length: 50 }, () => house.of('ann').admit()))
    assert.equal(commits, 1)
    assert.deepEqual(
      admissions.map(({ count }) => count),
      Array.from({ length: 50 }, (_, index) => index + 1),
    )
  })

  it('does not let one user wait for another', async () => {
    const clock = handClock()
    const plain = await openMemoryStore({ effects: clock })
    const gate = Promise.withResolvers<void>()
    const store = storeWith(plain, {
      async commit(user, commit) {
        if (user.id === 'slow') await gate.promise
        return plain.users.commit(user, commit)
      },
    })
    await using house = await openHouse({ store, clock })
    const slow = house.of('slow').admit()
    assert.equal((await house.of('fast').admit()).allowed, true)
    gate.resolve()
    assert.equal((await slow).allowed, true)
  })

  it('a poisoned write among 64 fails alone', async () => {
    const clock = handClock()
    const plain = await openMemoryStore({ effects: clock })
    const store = storeWith(plain, {
      async commit(user, commit) {
        if (commit.records.some(({ value }) => value?.includes('poison'))) throw new Error('a constraint')
        return plain.users.commit(user, commit)
      },
    })
    await using house = await openHouse({ store, clock })
    const notes = Array.from({ length: 64 }, (_, index) =>
      house.of('ann').addNote(index === 30 ? 'poison' : 'fine', by),
    )
    const outcomes = await Promise.allSettled(notes)
    assert.deepEqual(outcomes.map(({ status }) => status === 'rejected').indexOf(true), 30)
    assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1)
    assert.deepEqual(await house.ledger.verify(), { ok: true, checked: 63 })
  })

  it('a store that fails poisons nothing: the next read sees what is there, and nothing was overwritten (BL-D01, BL-D02, BL-D20)', async () => {
    const clock = handClock()
    const plain = await openMemoryStore({ effects: clock })
    let broken = false
    const unavailable = async (): Promise<never> => {
      throw new PurserError('store_unavailable', 'down')
    }
    const store = storeWith(plain, {
      load: (user) => (broken ? unavailable() : plain.users.load(user)),
      commit: (user, commit) => (broken ? unavailable() : plain.users.commit(user, commit)),
    })
    {
      await using house = await openHouse({ store, clock })
      await house.of('ann').observe({ phase: 'warm' })
      await house.of('ann').setDailyCap(3, by)
    }
    await using house = await openHouse({ store, clock })
    broken = true
    await assert.rejects(house.of('ann').bond(), { code: 'store_unavailable' })
    await assert.rejects(house.of('ann').admit(), { code: 'store_unavailable' })
    broken = false
    await house.of('ann').admit()
    const bond = await house.of('ann').bond()
    assert.deepEqual([bond.phase, bond.dailyCap, bond.dailyCount, bond.version], ['warm', 3, 1, 2])
    broken = true
    await assert.rejects(house.of('ann').admit(), { code: 'store_unavailable' })
    broken = false
    assert.equal((await house.of('ann').quota()).count, 1)
  })

  it('a write that lost to an erasure ends with that life, and brings nobody back (decision 5)', async () => {
    const clock = handClock()
    const plain = await openMemoryStore({ effects: clock })
    await using calm = await openHouse({ store: plain, clock })
    await calm.of('ann').observe({ phase: 'warm' })
    let meanwhile: (() => Promise<void>) | undefined = () => erase(calm, 'ann')
    const store = storeWith(plain, {
      async commit(user, commit) {
        const first = meanwhile
        meanwhile = undefined
        await first?.()
        return plain.users.commit(user, commit)
      },
    })
    await using house = await openHouse({ store, clock })
    await assert.rejects(house.of('ann').addNote('late', by), { code: 'user_erased' })
    assert.equal((await calm.of('ann').bond()).exists, false)
    assert.equal((await house.of('ann').admit()).allowed, true)
    assert.equal((await house.of('ann').bond()).phase, 'dormant')
  })

  it('a refusal is decided on what the store holds, also when news of it were lost (BL-D04)', async () => {
    await using one = await openHouse({ dailyCap: 1 })
    const deaf: Store = { ...one.store, bus: { publish: async () => {}, subscribe: () => () => {} } }
    await using two = await openHouse({ store: deaf, clock: one.clock, dailyCap: 1 })
    assert.equal((await two.of('ann').admit()).allowed, true)
    assert.equal((await two.of('ann').admit()).allowed, false)
    await one.of('ann').setDailyCap(2, by)
    assert.equal((await two.of('ann').admit()).allowed, true)
    assert.equal((await two.of('ann').admit()).allowed, false)
    await one.of('ann').block(by)
    const refused = await two.of('ann').admit()
    assert.equal(!refused.allowed && refused.reason, 'blocked')
    await one.of('ann').unblock(by)
    await one.of('ann').setDailyCap(3, by)
    assert.equal((await two.of('ann').admit()).allowed, true)
  })

  it('gives up after eight lost races', async () => {
    const clock = handClock()
    const plain = await openMemoryStore({ effects: clock })
    let commits = 0
    const store = storeWith(plain, {
      async commit() {
        commits++
        return { ok: false }
      },
    })
    await using house = await openHouse({ store, clock })
    await assert.rejects(house.of('ann').admit(), { code: 'store_unavailable', retryable: true })
    assert.equal(commits, 8)
  })

  it('keeps others from writing when it has lost four times, and ends that', async () => {
    const clock = handClock()
    const plain = await openMemoryStore({ effects: clock })
    let [lost, holds, ended] = [0, 0, 0]
    const store = storeWith(plain, {
      async commit() {
        lost++
        return { ok: false }
      },
      async lockWrites() {
        holds++
        // The first one is over too soon.
        const commit = holds === 1 ? async () => ({ ok: false }) as const : plain.users.commit
        return { commit, erase: plain.users.erase, release: async () => void ended++ }
      },
    })
    await using house = await openHouse({ store, clock })
    assert.equal((await house.of('ann').admit()).count, 1)
    assert.deepEqual([lost, holds, ended], [4, 2, 2])
  })

  it('keeps what the newest of two overlapping reads found, whichever ends first', async () => {
    await using one = await openHouse()
    await one.of('ann').setDailyCap(10, by)
    const answers: PromiseWithResolvers<void>[] = []
    const slow = storeWith(one.store, {
      async load(user) {
        const row = await one.store.users.load(user)
        const answer = Promise.withResolvers<void>()
        answers.push(answer)
        await answer.promise
        return row
      },
    })
    await using two = await openHouse({ store: slow, clock: one.clock })
    const early = two.of('ann').bond()
    while (answers.length < 1) await Promise.resolve()
    await one.of('ann').setDailyCap(20, by)
    const late = two.of('ann').bond()
    while (answers.length < 2) await Promise.resolve()
    answers[0]?.resolve()
    assert.equal((await early).dailyCap, 10)
    answers[1]?.resolve()
    assert.equal((await late).dailyCap, 20)
    assert.equal((await two.of('ann').bond()).dailyCap, 20)
    assert.equal(answers.length, 2, 'the newest is kept')
  })

  it('bounds the writes that wait for one user', async () => {
    const limits = {
      maxCached: 10,
      maxWritesPerCommit: 2,
      maxWaiting: 5,
      maxAttempts: 8,
      politeAttempts: 4,
      replyTtlMs: 1_000,
      repliesPerSweep: 4,
    }
    await using house = await openHouse({ limits })
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => house.of('ann').admit()))
    assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 3)
    assert.equal((await house.of('ann').quota()).count, 5)
  })

  it('keeps the namespace log whole when many are erased at once, and tells lives apart', async () => {
    await using house = await openHouse()
    const ids = Array.from({ length: 40 }, (_, index) => `user-${index}`)
    await Promise.all(ids.map((id) => house.of(id).admit()))
    await Promise.all(ids.map((id) => erase(house, id)))
    await erase(house, 'user-0')
    const log = await house.store.events.newest({ namespace: 'default', id: '' }, { limit: 100 })
    assert.equal(log.length, 41)
    assert.ok(log.every(({ body }) => !body.includes('user-')))
    assert.deepEqual(await house.ledger.verify(), { ok: true, checked: 41 })
    await house.of('user-0').admit()
    assert.equal((await house.store.users.load({ namespace: 'default', id: 'user-0' }))?.incarnation, 3)
  })

  it('an erasure comes behind the writes that wait already, and before the ones that follow', async () => {
    await using house = await openHouse()
    const before = house.of('ann').observe({ phase: 'warm' })
    const erasure = erase(house, 'ann')
    const after = house.of('ann').admit()
    assert.equal((await before).bond.phase, 'warm')
    await erasure
    assert.equal((await after).count, 1)
    assert.equal((await house.of('ann').bond()).phase, 'dormant')
  })

  it('removes answers to idempotency keys that have expired, of all users', async () => {
    const limits = {
      maxCached: 10,
      maxWritesPerCommit: 8,
      maxWaiting: 50,
      maxAttempts: 8,
      politeAttempts: 4,
      replyTtlMs: 1_000,
      repliesPerSweep: 4,
    }
    const store = await openMemoryStore({ effects: handClock() })
    const house = await openHouse({ limits, store })
    for (const id of ['ann', 'bob', 'cid']) await house.of(id).admit({ idempotencyKey: 'k' })
    house.clock.advance(1_000)
    for (const id of ['dan', 'eve']) await house.of(id).admit({ idempotencyKey: 'k' })
    await house[Symbol.asyncDispose]()
    const kept = await Promise.all(
      ['ann', 'bob', 'cid', 'dan', 'eve'].map((id) => store.users.reply({ ...ANN, id }, 'admit:k')),
    )
    assert.deepEqual(
      kept.map((reply) => reply !== undefined),
      [false, false, false, true, true],
    )
  })

  it('ends what waits when it closes, and takes nothing more', async () => {
    const store = await openMemoryStore({ effects: handClock() })
    const house = await openHouse({ store })
    const waiting = house.of('ann').admit()
    await house[Symbol.asyncDispose]()
    assert.equal((await waiting).allowed, true)
    await assert.rejects(house.of('ann').admit(), { code: 'closed' })
    assert.equal((await store.users.load(ANN))?.revision, 1)
  })
})
