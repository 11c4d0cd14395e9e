import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ChunkShape } from '../../src/openai/chunk-shape.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('shapes of chunks')

const chunk = (delta: object, more: object = {}): string =>
  JSON.stringify({ id: 'c', created: 1, choices: [{ index: 0, delta, finish_reason: null }], ...more })

function matches(shape: ChunkShape, text: string): boolean {
  return shape.findEnd(text, 0) === text.length
}

function learned(text: string): ChunkShape {
  const shape = new ChunkShape()
  shape.learn(text)
  return shape
}

test('a chunk matches if it differs in its texts only', () => {
  const shape = learned(chunk({ content: 'a' }, { obfuscation: 'xyz' }))
  for (const content of ['', 'b', '"', '\\', '\n\u0001\u2028', 'é🙂', '"finish_reason":"stop"', 'x'.repeat(100_000)]) {
    assert.ok(matches(shape, chunk({ content }, { obfuscation: '' })), content.slice(0, 20))
  }
  for (const other of [
    chunk({ content: 'b' }),
    chunk({ content: 'b' }, { obfuscation: null }),
    chunk({ content: null }, { obfuscation: 'x' }),
    chunk({ content: 'b' }, { obfuscation: 'x', error: { message: 'x' } }),
    chunk({ content: 'b', role: '' }, { obfuscation: 'x' }),
    chunk({ content: 'b' }, { obfuscation: 'x' }).replace('null', '"stop"'),
    ` ${chunk({ content: 'b' }, { obfuscation: 'x' })}`,
    `${chunk({ content: 'b' }, { obfuscation: 'x' })} `,
  ]) {
    assert.ok(!matches(shape, other), other)
  }
})

test('a text that is no JSON string does not match', () => {
  const shape = learned(chunk({ content: 'a' }))
  for (const body of ['\n', '\u0001', '\\x', '\\u12g4', '\\u12', '\\', '"', '","role":""']) {
    assert.ok(
      !matches(
        shape,
        chunk({ content: '@' }).replace('@', () => body),
      ),
      JSON.stringify(body),
    )
  }
})

test('whatever matches is JSON that differs from the learned chunk in texts, id and time only', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', 'u', '0', '{', '}', ':', ',', 'n', '\n', 'é', '1') })
  fc.assert(
    fc.property(fc.array(text, { minLength: 2, maxLength: 8 }), fc.nat(3), (bodies, misses) => {
      const shape = new ChunkShape()
      for (let miss = 0; miss <= misses * 3; miss++) shape.learn(chunk({ content: 'first' }))
      for (const body of bodies) {
        const candidate = chunk({ content: '@' }).replace('@', () => body)
        if (!matches(shape, candidate)) continue
        const { choices, ...rest } = JSON.parse(candidate)
        assert.deepEqual(rest, { id: 'c', created: 1 })
        assert.deepEqual(Object.keys(choices[0].delta), ['content'])
      }
    }),
    { seed, numRuns: rounds(50_000, 1_000) },
  )
})

test('an id and a time of its own in each chunk are learned after some misses', () => {
  const shape = new ChunkShape()
  const matched = Array.from({ length: 20 }, (_, created) => {
    const text = JSON.stringify({ id: `c-${created}`, created: created + 1, choices: [{ delta: { content: 'a' } }] })
    const isMatch = matches(shape, text)
    if (!isMatch) shape.learn(text)
    return isMatch
  })
  assert.ok(matched.slice(8).every(Boolean))
})
