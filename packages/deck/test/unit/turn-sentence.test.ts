import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { neededText, turnReason, turnSentence, usedThenText } from '../../src/pages/turns/turn-sentence.ts'

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
        'Failed: the provider hosted refused the request.',
        'Failed: no reason was recorded.',
        'Failed: something_new.',
        'Cancelled: the client left before the answer was complete.',
      ],
    )
  })

  it('names the status with which the provider refused it', () => {
    const attempts = [{ provider: 'hosted', model: 'm', status: 400, code: 'upstream_rejected', ms: 1 }]
    const turn = { ...TURN, outcome: 'failed', code: 'upstream_rejected', attempts } as const
    assert.equal(turnSentence(turn), 'Failed: the provider hosted refused the request, with status 400.')
  })

  it('says what it needed of a limit, and what was used then', () => {
    const turn = { estimate: { inputTokens: 169, outputTokens: 1_512 }, weight: 1 }
    assert.equal(
      neededText(turn, 'tokens'),
      'This turn needed an estimated 1,681: 169 of input and up to 1,512 of output.',
    )
    assert.equal(neededText(turn, 'turns'), 'This turn needed 1.')
    assert.equal(neededText(turn, 'concurrent'), '')
    const data = { used: 918, max: 1_600 }
    assert.equal(usedThenText({ data }, 'tokens'), 'When it was refused, 918 of 1,600 tokens were used.')
  })

  it('says what answered it', () => {
    assert.equal(turnReason(TURN), null)
    assert.equal(turnSentence(TURN), 'Answered by hosted/m.')
    assert.equal(turnSentence({ ...TURN, cache: 'hit' }), 'Answered from the cache.')
    assert.match(turnSentence({ ...TURN, downgradedBy: 'daily' }), /instead of .*, because of the daily cap\.$/)
  })
})
