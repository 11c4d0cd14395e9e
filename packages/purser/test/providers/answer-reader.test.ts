import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { systemEffects } from '../../src/core/effects.ts'
import { createAnswerReader } from '../../src/providers/answer-reader.ts'
import { ChunkTimeouts } from '../../src/providers/chunk-timeouts.ts'
import type { ByteReader } from '../../src/providers/http/http-call.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('answers')

const ANSWER = JSON.stringify({
  id: 'a',
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Grüße' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 2 },
})

/** One read of a body, and whether its bytes have arrived before it. */
interface Arrival {
  readonly bytes: Buffer
  readonly isLate: boolean
}

class TestBody implements ByteReader {
  readonly #arrivals: Arrival[]

  constructor(arrivals: readonly Arrival[]) {
    this.#arrivals = [...arrivals]
  }

  read(): Buffer | undefined | Promise<Buffer | undefined> {
    const next = this.#arrivals.shift()
    return next?.isLate ? Promise.resolve(next.bytes) : next?.bytes
  }

  cancel(): void {}
  discard(): void {}
  limitTo(): void {}
}

function read(arrivals: readonly Arrival[], text = ANSWER): unknown {
  const reader = createAnswerReader({
    effects: systemEffects,
    provider: 'test',
    maxResponseBytes: 1_048_576,
    redact: String,
  })
  const limits = { firstChunkTimeoutMs: 60_000, idleTimeoutMs: 60_000 }
  const timeouts = new ChunkTimeouts({ ...limits, effects: systemEffects, provider: 'test', onTimeout() {} })
  const head = { status: 200, headers: { 'content-type': 'application/json' } }
  const arrived = arrivals.length > 0 ? arrivals : [{ bytes: Buffer.from(text), isLate: false }]
  return reader(head, new TestBody(arrived), { isStream: false, timeouts, mapError: (cause) => cause })
}

test('an answer that has arrived is read at once', () => {
  const answer = read([])
  assert.equal(answer instanceof Promise, false)
  assert.equal((answer as { text: string }).text, ANSWER)
})

test('an answer is the same however its bytes arrive', async () => {
  const bytes = Buffer.from(` \n${ANSWER}`)
  const cuts = fc.array(fc.record({ at: fc.nat(bytes.length), isLate: fc.boolean() }), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(cuts, fc.boolean(), async (unsorted, isLate) => {
      const sorted = [...unsorted].sort((a, b) => a.at - b.at)
      const starts = [{ at: 0, isLate }, ...sorted]
      const arrivals = starts.map(({ at, isLate }, index) => ({
        bytes: bytes.subarray(at, starts[index + 1]?.at ?? bytes.length),
        isLate,
      }))
      const answer = read(arrivals)
      assert.equal(
        answer instanceof Promise,
        arrivals.some((arrival) => arrival.isLate),
      )
      const { text, usage } = (await answer) as { text: string; usage: unknown }
      assert.deepEqual([text, usage], [ANSWER, { prompt_tokens: 3, completion_tokens: 2 }])
    }),
    { seed, numRuns: rounds(5_000, 100) },
  )
})
