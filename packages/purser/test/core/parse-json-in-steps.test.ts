import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseExactJson } from '../../src/core/exact-json.ts'
import { parseJsonInSteps } from '../../src/core/parse-json-in-steps.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('JSON in steps')

type Outcome = { readonly value: unknown } | 'SyntaxError'

async function parse(text: string): Promise<Outcome> {
  try {
    return { value: await parseJsonInSteps(Buffer.from(text), { parseNumber: parseExactJson }) }
  } catch (error) {
    assert.ok(error instanceof SyntaxError, String(error))
    return 'SyntaxError'
  }
}

/** What the parser of the language makes of it, written as JSON, which keeps long numbers apart. */
function reference(text: string): Outcome {
  try {
    return { value: parseExactJson(text) }
  } catch {
    return 'SyntaxError'
  }
}

async function assertEqual(text: string): Promise<void> {
  const [actual, expected] = [await parse(text), reference(text)]
  const written = (outcome: Outcome): unknown => (outcome === 'SyntaxError' ? outcome : JSON.stringify(outcome.value))
  assert.equal(written(actual), written(expected), text.slice(0, 500))
  if (actual !== 'SyntaxError' && expected !== 'SyntaxError') assert.deepEqual(actual.value, expected.value)
}

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  fc.constantFrom(
    '0',
    '-0',
    '-1.5e3',
    '1E400',
    '12345678901234567890',
    '9007199254740993',
    '01',
    '.5',
    '1.',
    '+1',
    '-',
  ),
  fc.constantFrom(
    'true',
    'false',
    'null',
    'nul',
    'True',
    '"\\ud83d\\ude00"',
    '"\\ud800"',
    '"\\x"',
    '"\\u12"',
    '"\n"',
    '"',
  ),
)
const { value: json } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('value')).map((items) => `[${items.join(' , ')}]`),
    fc
      .array(fc.tuple(fc.constantFrom('a', 'b', 'é', '1', '\\u0061', ''), tie('value')))
      .map((members) => `{${members.map(([name, value]) => ` "${name}"\t:${value}`).join(',\r\n')}}`),
  ),
}))

test('any text gives the value or the error of JSON.parse', async () => {
  await fc.assert(
    fc.asyncProperty(
      json,
      fc.nat(),
      fc.constantFrom('', ',', '}', ']', '"', '\\', ':', ' ', '\ufeff', '1'),
      async (text, at, extra) => {
        await assertEqual(text)
        const position = at % (text.length + 1)
        const changed = text.slice(0, position) + extra + text.slice(position)
        // A byte order mark is allowed before a text only.
        if (extra !== '\ufeff') await assertEqual(changed.toWellFormed())
        await assertEqual(text.slice(0, position).toWellFormed())
      },
    ),
    { seed, numRuns: rounds(20_000, 500) },
  )
})

const unit = fc.constantFrom(
  'z',
  'é',
  '語',
  '😀',
  '\\n',
  '\\\\',
  '\\"',
  '\\u00e9',
  '\\u8a9e',
  '\\ud83d\\ude00',
  '\\ud83d',
  '\\ude00',
  '\\/',
)

test('long texts with any characters and escapes at the ends of their pieces are decoded', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(unit, { minLength: 1, maxLength: 12 }),
      fc.nat(80),
      fc.array(unit, { maxLength: 3 }),
      fc.constantFrom('', '\\q', '\u0001', '\\u00g0', '\\'),
      async (units, shift, tail, fault) => {
        const body = units.join('')
        const count = Math.ceil(150_000 / Buffer.byteLength(body))
        await assertEqual(`["${'x'.repeat(shift)}${body.repeat(count)}${tail.join('')}${fault}",1]`)
      },
    ),
    { seed, numRuns: rounds(2_000, 40) },
  )
})

test('a byte order mark is skipped, and members that change a prototype are refused', async () => {
  assert.deepEqual(await parse('\ufeff {"a":1}'), { value: { a: 1 } })
  for (const text of [
    '{"__proto__":{}}',
    '{"a":[{"\\u005f_proto__":1}]}',
    '{"constructor":{"prototype":{}}}',
    '{"a":{"construct\\u006fr":{"x":1,"proto\\u0074ype":1}}}',
  ]) {
    assert.equal(await parse(text), 'SyntaxError', text)
  }
  assert.deepEqual(await parse('{"constructor":{"a":1},"prototype":2}'), {
    value: { constructor: { a: 1 }, prototype: 2 },
  })
})

test('the process does other work while a large text is parsed, whatever is large in it', async () => {
  for (const [name, text] of Object.entries({
    text: JSON.stringify('z'.repeat(3_000_000)),
    escapes: JSON.stringify('"'.repeat(1_500_000)),
    halves: `"${'\\ud800'.repeat(600_000)}"`,
    'white space': `${' '.repeat(3_000_000)}1`,
    values: `[${'1,'.repeat(90_000)}1]`,
    names: `{${Array.from({ length: 40_000 }, (_, index) => `"f${index}":{}`).join(',')}}`,
    'a name': `{"${'z'.repeat(3_000_000)}":1}`,
    'escapes without an end': `"${'\\"'.repeat(1_500_000)}`,
  })) {
    let turns = 0
    let isRunning = true
    const count = (): void => {
      turns++
      if (isRunning) setImmediate(count)
    }
    setImmediate(count)
    await assertEqual(text)
    isRunning = false
    assert.ok(turns >= 10, `${name}: ${turns} turns of the event loop`)
  }
  assert.equal(await parse('1'.repeat(70_000)), 'SyntaxError')
})
