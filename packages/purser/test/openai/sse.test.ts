import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PurserError } from '../../src/errors.ts'
import { frameOf, SseParser } from '../../src/openai/sse.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('server-sent events')

function parse(pieces: readonly Uint8Array[], maxEventBytes = 1 << 20): string[] {
  const parser = new SseParser({ maxEventBytes })
  const events = pieces.flatMap((piece) => parser.push(piece))
  const rest = parser.end()
  return rest === undefined ? events : [...events, rest]
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  let start = 0
  const pieces = ends.map((end) => {
    const piece = bytes.subarray(start, end)
    start = end
    return piece
  })
  return [...pieces, bytes.subarray(start)]
}

/** The specification's own words, on the whole text at once. */
function reference(text: string): string[] {
  const events: string[] = []
  let data: string[] = []
  for (const line of text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data.length > 0) events.push(data.join('\n'))
      data = []
      continue
    }
    const colon = line.indexOf(':')
    const [name, value] = colon === -1 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')]
    if (name === 'data') data.push(value)
  }
  return data.length > 0 ? [...events, data.join('\n')] : events
}

const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replace(/[\r\n]/g, '')),
  fc.constantFrom('{"a":"é"}', '漢字', '🙂', '[DONE]', '', ' ', ':'),
)
const line = fc.oneof(
  word.map((text) => `data: ${text}`),
  word.map((text) => `data:${text}`),
  word.map((text) => `: ${text}`),
  word.map((text) => `event: ${text}`),
  fc.constantFrom('', '', 'data', 'dat', 'database: no', 'id: 7', 'retry: 10'),
)
const stream = fc
  .array(fc.tuple(line, lineEnd), { maxLength: 20 })
  .map((lines) => lines.map(([text, end]) => text + end).join(''))

test('any split of the bytes gives the events that the whole text gives', () => {
  fc.assert(
    fc.property(stream, fc.boolean(), fc.array(fc.nat(400), { maxLength: 30 }), (text, mark, places) => {
      const bytes = Buffer.from((mark ? '\uFEFF' : '') + text)
      assert.deepEqual(parse(cut(bytes, places)), reference(bytes.toString()))
    }),
    { seed, numRuns: rounds(20_000, 2_000) },
  )
})

test('bytes that are not UTF-8 give the same text for every split', () => {
  const bytes = Buffer.concat([Buffer.from('data: a'), Buffer.from([0xe6, 0xff, 0xc3]), Buffer.from('b\n\n')])
  const whole = parse([bytes])
  for (let place = 0; place <= bytes.length; place++) assert.deepEqual(parse(cut(bytes, [place])), whole)
})

test('what was framed is read back, with line ends as LF', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const [read] = parse([Buffer.from(frameOf(text))])
      assert.equal(read, text.replace(/\r\n|\r/g, '\n'))
    }),
    { seed, numRuns: rounds(5_000, 500) },
  )
})

test('an event above its limit is refused, however it comes, and comments without end hold no memory', () => {
  const big = `data: ${'x'.repeat(100)}`
  const refused = (error: unknown) => PurserError.is(error, 'upstream_failed')
  assert.throws(() => parse([Buffer.from(`${big}\n\n`)], 64), refused)
  assert.throws(
    () =>
      parse(
        [...`${big}`].map((letter) => Buffer.from(letter)),
        64,
      ),
    refused,
  )
  assert.throws(() => parse([Buffer.from('data: 0123456789\n'.repeat(10))], 64), refused)
  assert.deepEqual(parse([Buffer.from(': ping\n'.repeat(1000)), Buffer.from('data: a\n\n')], 64), ['a'])
})

test('bytes may be reused by the caller after they were pushed', () => {
  const parser = new SseParser({ maxEventBytes: 100 })
  const buffer = Buffer.from('data: abc')
  parser.push(buffer)
  buffer.fill(0)
  assert.deepEqual(parser.push(Buffer.from('d\n\n')), ['abcd'])
})
