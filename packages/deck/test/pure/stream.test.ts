import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createFrames, type Frame } from '../../src/api/stream.ts'

function framesOf(chunks: readonly string[]): Frame[] {
  const frames: Frame[] = []
  const { push } = createFrames((frame) => frames.push(frame))
  chunks.forEach(push)
  return frames
}

const TEXT = [
  'retry: 2000\n\n',
  ': ping\n\n',
  'event: ledger\nid: e1\ndata: {"a":1}\n\n',
  'event: activity\r\ndata: one\r\ndata:two\r\n\r\n',
  'event: gap\ndata: {}\n\n',
  'data: half a frame',
].join('')

describe('the reader of server-sent events', () => {
  it('reads frames, joins data lines, and drops pings and what is not finished', () => {
    assert.deepEqual(framesOf([TEXT]), [
      { event: 'ledger', id: 'e1', data: '{"a":1}' },
      { event: 'activity', id: undefined, data: 'one\ntwo' },
      { event: 'gap', id: undefined, data: '{}' },
    ])
  })

  it('reads the same, however the text was cut', () => {
    const whole = framesOf([TEXT])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: TEXT.length }), { maxLength: 30 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), TEXT.length]
        const chunks = edges.slice(1).map((edge, index) => TEXT.slice(edges[index], edge))
        assert.deepEqual(framesOf(chunks), whole)
      }),
    )
  })

  it('refuses a frame that never ends', () => {
    assert.throws(() => framesOf(['data: ', 'x'.repeat(1_048_577)]), RangeError)
  })
})
