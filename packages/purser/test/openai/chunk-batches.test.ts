import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CoalescedCall } from '../../src/answers/coalesced-call.ts'
import { ReplayBuffer } from '../../src/answers/replay-buffer.ts'
import { PurserError } from '../../src/errors.ts'
import { batchesOf, type ChunkBatches } from '../../src/openai/chunk-batches.ts'
import { createChunkStream } from '../../src/providers/chunk-stream.ts'

const NO_TIMEOUTS = { startWaiting: () => undefined, stopWaiting: () => undefined, clear: () => undefined }
const FAILURE = new PurserError('upstream_failed', 'The connection broke.')
/** What arrives together, none or more texts. */
const reads = fc.array(fc.array(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 3 }), { maxLength: 8 })

type Stream = AsyncIterableIterator<string> & Pick<ChunkBatches, 'nextBatch'>

function streamOf(arrivals: readonly (readonly string[])[], fails: boolean): Stream {
  const pending = [...arrivals]
  const next = async (): Promise<readonly string[] | undefined> => {
    const arrived = pending.shift()
    if (arrived === undefined && fails) throw FAILURE
    return arrived
  }
  return createChunkStream({
    source: { next, cancel: () => undefined },
    timeouts: NO_TIMEOUTS,
    mapError: (cause) => cause,
  })
}

function bufferOf(arrivals: readonly (readonly string[])[], fails: boolean): Stream {
  const buffer = new ReplayBuffer(1_000_000)
  for (const text of arrivals.flat()) buffer.append(text)
  buffer.end(fails ? { error: FAILURE } : {})
  return buffer.read(new CoalescedCall(() => undefined).join(undefined))
}

/** Reads one text or a batch, in turn as `steps` say, to the end. */
async function readAll(stream: Stream, steps: readonly boolean[]): Promise<unknown[]> {
  const seen: unknown[] = []
  const batches = batchesOf(stream)
  try {
    for (let step = 0; ; step++) {
      const takesBatch = steps.length === 0 || steps[step % steps.length] === true
      const { value, done } = takesBatch ? { value: undefined, done: false } : await stream.next()
      const batch = takesBatch ? await batches.nextBatch() : done ? undefined : [value]
      if (batch === undefined) return seen
      assert.ok(batch.length > 0)
      seen.push(...batch)
    }
  } catch (error) {
    return [...seen, error]
  }
}

for (const [name, open] of [
  ['an upstream', streamOf],
  ['a shared answer', bufferOf],
] as const) {
  test(`batches of ${name} have every text once and in order, before its failure`, async () => {
    await fc.assert(
      fc.asyncProperty(
        reads,
        fc.boolean(),
        fc.array(fc.boolean(), { maxLength: 5 }),
        async (arrivals, fails, steps) => {
          const expected = fails ? [...arrivals.flat(), FAILURE] : arrivals.flat()
          assert.deepEqual(await readAll(open(arrivals, fails), steps), expected)
        },
      ),
    )
  })
}

test('what arrives together is one batch', async () => {
  const stream = streamOf([['a', 'b'], ['c']], false)
  assert.deepEqual(await stream.nextBatch(), ['a', 'b'])
  assert.deepEqual(await stream.nextBatch(), ['c'])
  assert.equal(await stream.nextBatch(), undefined)
})

test('a source without batches gives its texts one by one, and is stopped', async () => {
  let isStopped = false
  async function* texts(): AsyncGenerator<string> {
    try {
      yield 'a'
      yield 'b'
    } finally {
      isStopped = true
    }
  }
  const batches = batchesOf(texts())
  assert.deepEqual(await batches.nextBatch(), ['a'])
  batches.stop()
  assert.equal(await batches.nextBatch(), undefined)
  assert.ok(isStopped)
})
