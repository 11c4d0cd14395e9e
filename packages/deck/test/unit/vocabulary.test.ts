import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { buildVocabulary } from '../../src/api/vocabulary.ts'
import type { Overview } from '../../src/api/wire.ts'

function overview(fields: Partial<Overview>): Overview {
  const server = {
    version: '1.0.0',
    startedAt: '2026-11-20T09:00:00.000Z',
    store: { name: 'memory', location: ':memory:', durable: false, shared: false },
    namespace: 'default',
  }
  const vocabulary = { phases: null, riskLevels: null }
  return { users: 0, blocked: 0, phases: {}, riskLevels: {}, vocabulary, server, ...fields }
}

describe('vocabulary', () => {
  it('has declared values in their order, then undeclared ones that are in use', () => {
    const vocabulary = buildVocabulary(
      overview({
        phases: { old: 1, steady: 2 },
        vocabulary: { phases: ['new', 'steady'], riskLevels: ['green', 'red'] },
      }),
    )
    assert.deepEqual(vocabulary.phases, ['new', 'steady', 'old'])
    assert.deepEqual(['green', 'red', 'blue'].map(vocabulary.rankOf), [0, 1, null])
    assert.equal(vocabulary.steps, 2)
  })

  it('ranks undeclared risk levels in their usual order, and unknown ones not at all', () => {
    const vocabulary = buildVocabulary(overview({ riskLevels: { high: 1, odd: 1, low: 1, medium: 1 } }))
    assert.deepEqual(vocabulary.riskLevels, ['low', 'medium', 'high', 'odd'])
    assert.deepEqual(['low', 'medium', 'high', 'critical', 'odd'].map(vocabulary.rankOf), [0, 1, 2, 3, null])
  })

  it('gives phases different hues, and the first one the neutral hue', () => {
    const vocabulary = buildVocabulary(overview({ phases: { dormant: 1, a: 1, b: 1, c: 1 } }))
    assert.deepEqual(vocabulary.phases.map(vocabulary.hueOf), [0, 1, 2, 3])
  })
})
