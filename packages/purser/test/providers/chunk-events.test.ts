import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PurserError } from '../../src/errors.ts'
import { type ChunkBatch, ChunkEvents, formatBatch, textsOf } from '../../src/openai/chunk-events.ts'
import { textBytesOfChunk, tokensOfDelta } from '../../src/openai/estimate-tokens.ts'
import { createHeadRewriter, createModelRewriter } from '../../src/openai/rewrite-model.ts'
import { formatChunk } from '../../src/openai/sse.ts'
import { createSseChunkSource } from '../../src/providers/http/sse-chunk-source.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('chunks that pass as bytes')

const DONE = Buffer.from('data: [DONE]\n\n')

interface ReadOptions {
  readonly maxEventBytes?: number
  /** Whether what is offered is taken, in turn; then again from the first. */
  readonly takes?: readonly boolean[]
}

/** Reads a stream that arrives in these pieces. */
async function readAll(
  reads: readonly Buffer[],
  { maxEventBytes = 10_000, takes = [false] }: ReadOptions = {},
): Promise<(string | ChunkEvents)[]> {
  const pending = [...reads]
  const pieces: (string | ChunkEvents)[] = []
  let offered = 0
  let take = (_: Buffer): boolean => false
  async function read(): Promise<Buffer | undefined> {
    let next = pending.shift()
    while (next !== undefined && take(next)) next = pending.shift()
    return next
  }
  const source = createSseChunkSource({
    provider: 'p',
    maxEventBytes,
    createId: () => 'id',
    createError: (error) => new PurserError('upstream_failed', String(error)),
    body: {
      read,
      offer: (to) => {
        take = to
      },
      cancel: () => {},
      discard: () => {},
      limitTo: () => {},
    },
  })
  source.offer?.((events) => {
    const isTaken = takes[offered++ % takes.length] === true
    if (isTaken) pieces.push(events)
    return isTaken
  })
  for (let batch = await source.next(); batch !== undefined; batch = await source.next()) pieces.push(...batch)
  return pieces
}

function tokensOf(batch: ChunkBatch): number {
  return batch.reduce(
    (sum, piece) => sum + (typeof piece === 'string' ? tokensOfDelta(textBytesOfChunk(piece)) : piece.tokens),
    0,
  )
}

const content = fc.string({
  unit: fc.oneof(fc.constantFrom('a', ' ', '"', '\\', '\n', 'é', '🙂', '\u2028', '\n\ndata: '), fc.string()),
})
const delta = fc.oneof(
  { weight: 8, arbitrary: content.map((text) => ({ content: text })) },
  content.map((text) => ({ reasoning_content: text })),
  fc.record({ content, reasoning: content }),
  content.map((text) => ({ refusal: text })),
  content.map((text) => ({ tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: text } }] })),
)
const chunk = fc
  .record({
    delta,
    members: fc.constantFrom<object>({}, {}, {}, { obfuscation: 'x' }, { usage: { prompt_tokens: 1 } }),
  })
  .map(({ delta: of, members }) => ({ choices: [{ index: 0, delta: of, finish_reason: null }], ...members }))
const answer = fc.record({
  chunks: fc.array(chunk, { minLength: 1, maxLength: 12 }),
  head: fc.constantFrom<(index: number) => object>(
    () => ({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' }),
    () => ({ model: 'é' }),
    (index) => ({ id: `c-${index}`, created: index + 1, model: 'm' }),
    () => ({ id: 'c' }),
  ),
  cuts: fc.array(fc.nat(3_000), { maxLength: 8 }),
  /** Behind this many events. */
  eventCuts: fc.array(fc.nat(12), { maxLength: 6 }),
  lineEnd: fc.constantFrom('\n', '\n', '\n', '\r\n'),
  between: fc.constantFrom('', '', '', ': ping\n\n', 'event: ping\n'),
  takes: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
})

test('chunks are the same whether they pass as bytes or are parsed, wherever the network cuts them', async () => {
  await fc.assert(
    fc.asyncProperty(answer, async ({ chunks, head, cuts, eventCuts, lineEnd, between, takes }) => {
      const sent = chunks.map((members, index) => JSON.stringify({ ...head(index), ...members }))
      // In this form, no event passes as bytes.
      const texts = textsOf(await readAll([...sent.map((text) => Buffer.from(`data:${text}\n\n`)), DONE]))
      const events = sent.map((text) => `data: ${text}${lineEnd}${lineEnd}`)
      const stream = Buffer.from(`${events.join(between)}data: [DONE]\n\n`)
      const behind = eventCuts.map((count) => Buffer.byteLength(events.slice(0, count).join(between)))
      const within = cuts.map((cut) => Math.min(cut, stream.length))
      const ends = [...new Set([...behind, ...within])].sort((one, other) => one - other)
      const read = await readAll(
        [...ends, stream.length].map((end, index) => stream.subarray(ends[index - 1] ?? 0, end)),
        { takes },
      )
      const shown = read.filter((piece) => typeof piece !== 'string' || !piece.startsWith(':'))
      assert.deepEqual(textsOf(shown), texts)
      assert.equal(tokensOf(shown), tokensOf(texts))
      assert.equal(formatBatch(shown).toString(), texts.map(formatChunk).join(''))
      const [rewrite, rewriteHead] = [createModelRewriter('other'), createHeadRewriter('other')]
      const rewritten = shown.flatMap((piece): ChunkBatch => {
        const replaced = piece instanceof ChunkEvents ? piece.rewriteHead(rewriteHead) : undefined
        return replaced === undefined ? textsOf([piece]).map(rewrite) : [replaced]
      })
      const expected = texts.map((text) => createModelRewriter('other')(text))
      assert.deepEqual(textsOf(rewritten), expected)
      assert.equal(tokensOf(rewritten), tokensOf(shown))
    }),
    { seed, numRuns: rounds(50_000, 1_500) },
  )
})

const textOf = (text: string): string =>
  JSON.stringify({ model: 'm', choices: [{ index: 0, delta: { content: text } }] })
const eventOf = (text: string): Buffer => Buffer.from(formatChunk(textOf(text)))

test('events that arrive together behind a known chunk pass as one piece', async () => {
  const [first, passed] = await readAll([eventOf('a'), Buffer.concat([eventOf('b'), eventOf('c')]), DONE])
  assert.equal(first, textOf('a'))
  assert.ok(passed instanceof ChunkEvents)
  assert.deepEqual(passed.bytes, Buffer.concat([eventOf('b'), eventOf('c')]))
  assert.deepEqual(passed.rewriteHead(createHeadRewriter('longer'))?.texts, [
    textOf('b').replace('"m"', '"longer"'),
    textOf('c').replace('"m"', '"longer"'),
  ])
})

test('whole events of the known shape are offered before they are read, and nothing else is', async () => {
  const cut = eventOf('c')
  const usage = Buffer.from(formatChunk(textOf('d').replace('"model"', '"usage":{"prompt_tokens":1},"model"')))
  const reads = [eventOf('a'), eventOf('b'), cut.subarray(0, 9), cut.subarray(9), Buffer.concat([eventOf('e'), DONE])]
  const read = await readAll([...reads.slice(0, 4), usage, ...reads.slice(4)], { takes: [true] })
  const bytes = read.map((piece) => (piece instanceof ChunkEvents ? piece.bytes.toString() : piece))
  assert.deepEqual(bytes.slice(0, 3), [textOf('a'), eventOf('b').toString(), textOf('c')])
  assert.deepEqual(
    textsOf(read).map((text) => JSON.parse(text).choices[0].delta.content),
    ['a', 'b', 'c', 'd', 'e'],
  )
})

test('bytes that are not UTF-8, and events that are too large, do not pass', async () => {
  const invalid = Buffer.from(eventOf('@').map((byte) => (byte === 0x40 ? 0xff : byte)))
  assert.equal((await readAll([eventOf('a'), invalid, DONE])).at(1), textOf('\ufffd'))
  await assert.rejects(readAll([eventOf('a'), eventOf('b'.repeat(200)), DONE], { maxEventBytes: 200 }), {
    code: 'upstream_failed',
  })
})
