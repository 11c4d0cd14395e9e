import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkEvents } from '../../src/openai/chunk-events.ts'
import { createChunkStream } from '../../src/providers/chunk-stream.ts'
import { ChunkTimeouts } from '../../src/providers/chunk-timeouts.ts'
import { handClock } from '../../src/testing/hand-clock.ts'

const events = new ChunkEvents({ bytes: Buffer.from('data: {}\n\n'), starts: [0], head: '{}', tokens: 1 })

test('a chunk that is taken ends the wait for the next one, and a chunk that is not does not', async () => {
  const clock = handClock()
  const reasons: unknown[] = []
  const timeouts = new ChunkTimeouts({
    effects: clock,
    provider: 'p',
    firstChunkTimeoutMs: 1_000,
    idleTimeoutMs: 500,
    onTimeout: (reason) => reasons.push(reason),
  })
  let offer = (_: ChunkEvents): boolean => false
  const chunks = createChunkStream({
    source: {
      next: () => (clock.monotonic() === 0 ? Promise.resolve(['{}']) : new Promise(() => undefined)),
      offer: (take) => {
        offer = take
      },
      cancel: () => undefined,
    },
    timeouts,
    mapError: (error) => error,
  })
  let takes = true
  chunks.offer?.(() => takes)
  await chunks.start()
  assert.deepEqual(await chunks.nextBatch(), ['{}'])
  clock.advance(1)
  chunks.nextBatch().catch(() => undefined)
  clock.advance(400)
  assert.equal(offer(events), true)
  clock.advance(400)
  takes = false
  assert.equal(offer(events), false)
  clock.advance(99)
  assert.deepEqual(reasons, [])
  clock.advance(1)
  assert.equal(reasons.length, 1)
})
