import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatSseEvent, type ServerSentEvent, SseEventTooLargeError, SseParser } from '../../src/core/sse.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('server-sent events')

const LIMIT = 1_048_576

function parse(chunks: readonly Uint8Array[], maxEventBytes = LIMIT): ServerSentEvent[] {
  const parser = new SseParser({ maxEventBytes })
  const events = chunks.flatMap((chunk) => parser.push(chunk))
  const rest = parser.end()
  return rest === undefined ? events : [...events, rest]
}

function split(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const ends = [...new Set(positions.map((position) => position % (bytes.length + 1)))].sort((a, b) => a - b)
  let start = 0
  const chunks = ends.map((end) => {
    const chunk = bytes.subarray(start, end)
    start = end
    return chunk
  })
  return [...chunks, bytes.subarray(start)]
}

/** The algorithm of the specification, on the complete text; the event at the end is not dropped. */
function parseBySpecification(text: string): ServerSentEvent[] {
  const events: ServerSentEvent[] = []
  let event = ''
  let id: string | undefined
  let data: string[] = []
  const dispatch = () => {
    if (data.length > 0) events.push({ event: event || 'message', id, data: data.join('\n') })
    event = ''
    id = undefined
    data = []
  }
  for (const line of text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) {
    const colon = line.indexOf(':')
    const [name, value] = colon === -1 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')]
    if (line === '') dispatch()
    else if (name === 'data') data.push(value)
    else if (name === 'event') event = value
    else if (name === 'id' && !value.includes('\0')) id = value
  }
  dispatch()
  return events
}

const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replace(/[\r\n]/g, '')),
  fc.constantFrom('{"a":"é"}', '漢字', '🙂', '\uFEFF', '[DONE]', '', ' ', ':', 'a\0b'),
)
const line = fc.oneof(
  fc.tuple(fc.constantFrom('data', 'event', 'id', ''), word).map(([field, text]) => `${field}: ${text}`),
  fc.tuple(fc.constantFrom('data', 'event', 'id', ''), word).map(([field, text]) => `${field}:${text}`),
  fc.constantFrom('', '', 'data', 'dat', 'database: no', 'event', 'events: no', 'id', 'ids: no', 'id: 7', 'retry: 10'),
)
const stream = fc
  .array(fc.tuple(line, lineEnd), { maxLength: 20 })
  .map((lines) => lines.map(([text, end]) => text + end).join(''))

test('any split of the bytes gives the events of the complete text', () => {
  fc.assert(
    fc.property(stream, fc.boolean(), fc.array(fc.nat(400), { maxLength: 30 }), (text, hasBom, positions) => {
      const bytes = Buffer.from((hasBom ? '\uFEFF' : '') + text)
      assert.deepEqual(parse(split(bytes, positions)), parseBySpecification(bytes.toString()))
    }),
    { seed, numRuns: rounds(20_000, 2_000) },
  )
})

test('a Uint8Array is parsed like a Buffer', () => {
  fc.assert(
    fc.property(stream, fc.array(fc.nat(400), { maxLength: 30 }), (text, positions) => {
      const chunks = split(Buffer.from(text), positions)
      assert.deepEqual(parse(chunks.map((chunk) => new Uint8Array(chunk))), parse(chunks))
    }),
    { seed, numRuns: rounds(5_000, 500) },
  )
})

test('an event has its type, id and data lines; comments, other fields and an unfinished event are skipped', () => {
  const parser = new SseParser({ maxEventBytes: LIMIT })
  const text = [
    'retry: 2000\n\n',
    ': ping\n\n',
    'event: ledger\nid: e1\ndata: {"a":1}\n\n',
    'event: activity\r\ndata: one\r\ndata:two\r\n\r\n',
    'event: gap\ndata: {}\n\n',
    'event: empty\nid: e2\n\n',
    'id: e3\0\ndata: x\n\n',
    'data: half an event',
  ]
  assert.deepEqual(parser.push(Buffer.from(text.join(''))), [
    { event: 'ledger', id: 'e1', data: '{"a":1}' },
    { event: 'activity', id: undefined, data: 'one\ntwo' },
    { event: 'gap', id: undefined, data: '{}' },
    { event: 'message', id: undefined, data: 'x' },
  ])
})

test('bytes that are not UTF-8 give the same text for every split', () => {
  const bytes = Buffer.concat([Buffer.from('data: a'), Buffer.from([0xe6, 0xff, 0xc3]), Buffer.from('b\n\n')])
  const whole = parse([bytes])
  for (let position = 0; position <= bytes.length; position++) assert.deepEqual(parse(split(bytes, [position])), whole)
})

test('formatted data is parsed back, with line ends as LF', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const [event] = parse([Buffer.from(formatSseEvent(text))])
      assert.equal(event?.data, text.replace(/\r\n|\r/g, '\n'))
    }),
    { seed, numRuns: rounds(5_000, 500) },
  )
})

test('an event above the limit is rejected for every split; endless comments need no memory', () => {
  const large = `data: ${'x'.repeat(100)}`
  const tooLarge = (error: unknown) => error instanceof SseEventTooLargeError && error.message.includes('64')
  const letters = [...large].map((letter) => Buffer.from(letter))
  assert.throws(() => parse([Buffer.from(`${large}\n\n`)], 64), tooLarge)
  assert.throws(() => parse(letters, 64), tooLarge)
  assert.throws(() => parse([Buffer.from('data: 0123456789\n'.repeat(10))], 64), tooLarge)
  const comments = Buffer.from(': ping\n'.repeat(1000))
  assert.deepEqual(
    parse([comments, Buffer.from('data: a\n\n')], 64).map(({ data }) => data),
    ['a'],
  )
})

test('bytes may be reused by the caller after they were pushed', () => {
  for (const chunk of [Buffer.from('data: abc'), new Uint8Array(Buffer.from('data: abc'))]) {
    const parser = new SseParser({ maxEventBytes: 100 })
    parser.push(chunk)
    chunk.fill(0)
    assert.deepEqual(
      parser.push(Buffer.from('d\n\n')).map(({ data }) => data),
      ['abcd'],
    )
  }
})

test('the parser imports nothing, so that the Deck can bundle it for the browser', () => {
  const source = readFileSync(new URL('../../src/core/sse.ts', import.meta.url), 'utf8')
  assert.doesNotMatch(source, /\bimport\b[^/]*['"]|\brequire\(|\bBuffer\b|\bprocess\b/)
})
