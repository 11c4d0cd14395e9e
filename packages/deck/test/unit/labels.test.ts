import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { labelOf } from '../../src/api/event-labels.ts'
import type { Verification } from '../../src/api/wire.ts'
import { verificationMessage } from '../../src/pages/user/verification-message.ts'

describe('event labels', () => {
  it('name operator actions and events of the application', () => {
    assert.equal(labelOf({ type: 'admin_action', data: { action: 'time_zone' } }).name, 'Time zone')
    assert.equal(labelOf({ type: 'admin_action', data: { action: 'set_secret' } }).name, 'Set secret')
    assert.deepEqual(labelOf({ type: 'shop:bought', data: {} }), { name: 'shop:bought', kind: 'application' })
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
