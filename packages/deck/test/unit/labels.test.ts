import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { detailOf, EVENT_FILTERS, isMeantBy, labelOf } from '../../src/api/event-labels.ts'
import type { Verification } from '../../src/api/wire.ts'
import { verificationMessage } from '../../src/pages/user/verification-message.ts'

describe('event labels', () => {
  it('name operator actions and events of the application', () => {
    assert.equal(labelOf({ type: 'admin_action', data: { action: 'time_zone' } }).name, 'Time zone')
    assert.equal(labelOf({ type: 'admin_action', data: { action: 'set_secret' } }).name, 'Set secret')
    assert.deepEqual(labelOf({ type: 'shop:bought', data: {} }), { name: 'shop:bought', kind: 'application' })
  })
})

describe('a limit that did not let a turn pass', () => {
  const data = { limit: 'tokens-5h', measure: 'tokens', max: 1_600, used: 918, mode: 'enforce' }
  const textOf = (changes: object): string =>
    detailOf({ type: 'limit_reached', data: { ...data, ...changes }, detail: '' })

  it('was not used up if the turn needed more than was left', () => {
    assert.equal(textOf({}), 'tokens-5h: 918 of 1,600 tokens used, and the next turn needed more than was left')
    assert.equal(textOf({ used: 1_600 }), 'tokens-5h: 1,600 of 1,600 tokens used')
    assert.match(textOf({ mode: 'observe' }), /left \(observed\)$/)
  })

  it('is listed with changes of the daily cap, and without other actions', () => {
    const types = EVENT_FILTERS.find(({ name }) => name === 'Limits and plan')?.types ?? ''
    assert.ok(isMeantBy(types, { type: 'limit_reached', data }))
    assert.ok(isMeantBy(types, { type: 'admin_action', data: { action: 'cap' } }))
    assert.ok(!isMeantBy(types, { type: 'admin_action', data: { action: 'note' } }))
    assert.ok(isMeantBy('admin_action', { type: 'admin_action', data: { action: 'note' } }))
  })
})

describe('verification message', () => {
  it('has the number of checked events when the log is intact', () => {
    assert.equal(verificationMessage({ ok: true, checked: 1 }), 'The event log is intact: 1 event checked.')
  })

  it('has the problem, and the event if it concerns a single one', () => {
    const messageOf = (firstBad: NonNullable<Verification['firstBad']>): string =>
      verificationMessage({ ok: false, checked: 3, firstBad })
    assert.equal(
      messageOf({ sequence: 4, problem: 'An event is missing.' }),
      'The event log is broken at event 4: An event is missing.',
    )
    assert.equal(
      messageOf({ problem: 'The state cannot be read.' }),
      'The event log is broken: The state cannot be read.',
    )
  })
})
