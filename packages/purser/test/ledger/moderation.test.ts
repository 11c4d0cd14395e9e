import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { UserLedger } from '../../src/ledger/api.ts'
import { openLedgerHarness } from '../support/ledger-harness.ts'

const by = { actor: 'ana', reason: 'a good reason' }

async function lastEvent(user: UserLedger): Promise<unknown> {
  const [event] = await user.events({ limit: 1 })
  return event && { type: event.type, detail: event.detail, actor: event.actor, reason: event.reason, data: event.data }
}

describe('operator actions', () => {
  it('set, lift and reset the cap; the bond names its origin (BL-28)', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 10 })
    const ann = harness.user('ann')
    const set = await ann.setDailyCap(5, by)
    assert.deepEqual([set.dailyCap, set.capOrigin], [5, 'user'])
    assert.deepEqual(await lastEvent(ann), {
      type: 'admin_action',
      detail: 'rate limit: 10 -> 5 msgs/day',
      ...by,
      data: { action: 'cap', before: null, after: 5, old_cap: 10, new_cap: 5 },
    })
    assert.deepEqual([(await ann.setDailyCap(0, by)).dailyCap, (await ann.quota()).remaining], [0, -1])
    const reset = await ann.setDailyCap(null, by)
    assert.deepEqual([reset.dailyCap, reset.capOrigin, reset.version], [10, 'default', 3])
    assert.equal((await ann.setDailyCap(null, by)).version, 3)
  })

  it('block and unblock a user', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const blocked = await ann.block(by)
    assert.deepEqual(blocked.blocked, { at: '2026-03-10T12:00:00.000Z', ...by, until: null })
    await ann.block(by)
    assert.equal((await ann.unblock({ actor: 'bea' })).blocked, null)
    assert.deepEqual(await lastEvent(ann), {
      type: 'admin_action',
      detail: 'unblocked',
      actor: 'bea',
      reason: undefined,
      data: { action: 'unblock', before: blocked.blocked, after: null },
    })
    assert.equal((await ann.unblock({ actor: 'bea' })).version, 2)
  })

  it('correct phase and risk', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    await ann.observe({ phase: 'warm', riskLevel: 'high' })
    harness.clock.advance(5)
    const bond = await ann.correct({ phase: 'calm', riskLevel: 'high' }, by)
    assert.deepEqual(
      [bond.phase, bond.previousPhase, bond.riskLevel, bond.phaseEnteredAt, bond.version],
      ['calm', 'warm', 'high', '2026-03-10T12:00:00.005Z', 3],
    )
    assert.equal((await ann.correct({ phase: 'calm' }, by)).version, 3)
  })

  it('set the zone, by the application unless an actor is named', async () => {
    await using harness = await openLedgerHarness({ timeZone: 'Asia/Kolkata' })
    const ann = harness.user('ann')
    assert.equal((await ann.setTimeZone('europe/berlin')).timeZone, 'Europe/Berlin')
    assert.equal((await ann.setTimeZone(null, by)).timeZone, 'Asia/Kolkata')
    const [reset, set] = await ann.events()
    assert.deepEqual([set?.actor, set?.data.before, set?.data.after], ['app', null, 'Europe/Berlin'])
    assert.deepEqual([reset?.actor, reset?.data.before, reset?.data.after], ['ana', 'Europe/Berlin', null])
    await assert.rejects(ann.setTimeZone('Berlin'), { code: 'timezone_invalid' })
    await assert.rejects(ann.setTimeZone(undefined as never), { code: 'timezone_invalid' })
  })
})

describe('operator actions are rejected', () => {
  it('for an invalid cap, and without an actor or a reason (BL-D13)', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    for (const cap of [-1, 1.5, Number.NaN, '5', undefined, Number.POSITIVE_INFINITY, true])
      await assert.rejects(ann.setDailyCap(cap as number, by), { code: 'cap_invalid' })
    const calls: readonly Promise<unknown>[] = [
      ann.setDailyCap(5, {} as never),
      ann.setDailyCap(5, undefined as never),
      ann.block({ actor: 'ana' } as never),
      ann.block({ reason: 'x' } as never),
      ann.unblock({} as never),
      ann.correct({ phase: 'x' }, { actor: 'ana' } as never),
      ann.correct({}, by),
      ann.addNote('x', {} as never),
      ann.addNote('x', { actor: '' }),
      ann.block({ ...by, until: '2020-01-01T00:00:00Z' }),
      ann.block({ ...by, until: 'soon' }),
      ann.block({ ...by, until: '2099-02-31T00:00:00Z' }),
    ]
    for (const call of calls) await assert.rejects(call, { code: 'argument_invalid' })
    assert.equal((await ann.bond()).exists, false)
  })

  it('when the bond has changed since the expected version', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const both = [3, 5].map((cap) => ann.setDailyCap(cap, { ...by, expectedVersion: 0 }))
    assert.deepEqual(
      (await Promise.allSettled(both)).map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
    await assert.rejects(ann.block({ ...by, expectedVersion: 0 }), {
      code: 'version_conflict',
      details: { version: 1 },
    })
    await assert.rejects(ann.correct({ phase: 'x' }, { ...by, expectedVersion: -1 }), { code: 'argument_invalid' })
    assert.equal((await ann.unblock({ ...by, expectedVersion: 1 })).dailyCap, 3)
  })
})

describe('notes', () => {
  it('are stored outside the log: the event contains id, length and a keyed digest (BL-31, BL-D14)', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const note = await ann.addNote('Called her, all is wéll.', by)
    assert.deepEqual(
      { ...note, id: '' },
      { id: '', at: '2026-03-10T12:00:00.000Z', actor: 'ana', text: 'Called her, all is wéll.' },
    )
    const [event] = await ann.events()
    assert.equal(event?.detail, 'note added')
    assert.deepEqual([event?.data.action, event?.data.id, event?.data.length], ['note', note.id, 25])
    assert.equal(JSON.stringify(event).includes('Called'), false)
    assert.deepEqual(await ann.notes(), [note])
    assert.equal((await ann.bond()).notesCount, 1)
  })

  it('are read newest first, page by page (BL-D14)', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    for (let index = 0; index < 25; index++) await ann.addNote(`note ${index}`, by)
    const first = await ann.notes({ limit: 10 })
    const second = await ann.notes({ limit: 20, before: first.at(-1)?.id })
    assert.deepEqual(
      [...first, ...second].map(({ text }) => text),
      Array.from({ length: 25 }, (_, index) => `note ${24 - index}`),
    )
    assert.deepEqual(await ann.notes({ limit: 0 }), [])
  })

  it('are text of 1 to 8,192 bytes', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    await ann.addNote('é'.repeat(4_096), by)
    for (const wrong of ['', '   ', 'é'.repeat(4_097), 5, undefined, '\ud800'])
      await assert.rejects(ann.addNote(wrong as string, by), { code: 'note_invalid' })
    assert.equal((await ann.bond()).notesCount, 1)
  })
})

describe('application events', () => {
  it('are recorded with data and actor, once per idempotency key', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const options = { detail: 'Shown.', data: { pack: 'ny-47', n: 1 }, actor: 'reminder', idempotencyKey: 'k' }
    const event = await ann.record('acme:notice_shown', options)
    assert.deepEqual(await ann.record('acme:notice_shown', options), event)
    assert.deepEqual(await ann.events(), [event])
    assert.deepEqual(
      { ...event, id: '', mac: '' },
      {
        v: 1,
        id: '',
        user: 'ann',
        sequence: 1,
        at: '2026-03-10T12:00:00.000Z',
        type: 'acme:notice_shown',
        detail: 'Shown.',
        data: { pack: 'ny-47', n: 1 },
        actor: 'reminder',
        mac: '',
      },
    )
    assert.equal((await ann.record('acme:other')).actor, 'app')
  })

  it('cannot have a type of the ledger, and hold at most 16 KiB', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    for (const type of [
      'phase_transition',
      'acme',
      ':x',
      'acme:',
      'purser:x',
      'PURSER:x',
      'a b:c',
      '',
      undefined,
      `a:${'x'.repeat(130)}`,
    ])
      await assert.rejects(ann.record(type as string), { code: 'event_invalid' })
    const circular: Record<string, unknown> = {}
    circular.self = circular
    for (const data of [{ x: 'x'.repeat(16_384) }, [], 'x', null, circular, { n: 1n }])
      await assert.rejects(ann.record('acme:x', { data: data as Record<string, unknown> }), { code: 'event_invalid' })
    await ann.record('acme:x', { data: { x: 'x'.repeat(16_376) } })
    assert.equal((await ann.bond()).version, 1)
  })
})
