import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { turnReason, turnSentence } from '../../src/pages/turns/turn-sentence.ts'

const TURN = {
  outcome: 'completed',
  code: null,
  limit: null,
  cache: 'miss',
  downgradedBy: null,
  provider: 'hosted',
  model: 'm',
  attempts: [],
} as const

describe('the sentence of a turn', () => {
  it('says why it was refused, or failed, in words', () => {
    const sentences = [
      { outcome: 'refused', code: 'cap_reached', limit: 'daily' },
      { outcome: 'refused', code: 'rate_limited', limit: 'tokens-5h' },
      { outcome: 'refused', code: 'user_blocked' },
      { outcome: 'failed', code: 'upstream_rejected' },
      { outcome: 'failed', code: null },
      { outcome: 'failed', code: 'something_new' },
      { outcome: 'cancelled' },
    ] as const
    assert.deepEqual(
      sentences.map((fields) => turnSentence({ ...TURN, ...fields })),
      [
        'Refused: the daily cap was reached.',
        'Refused: it would have exceeded the limit tokens-5h.',
        'Refused: the user is blocked.',
        'Failed: the provider hosted rejected the request.',
        'Failed: no reason was recorded.',
        'Failed: something_new.',
        'Cancelled: the client left before the answer was complete.',
      ],
    )
  })

  it('says what answered it', () => {
    assert.equal(turnReason(TURN), null)
    assert.equal(turnSentence(TURN), 'Answered by hosted/m.')
    assert.equal(turnSentence({ ...TURN, cache: 'hit' }), 'Answered from the cache.')
    assert.match(turnSentence({ ...TURN, downgradedBy: 'daily' }), /instead of .*, because of the limit daily\.$/)
  })
})
