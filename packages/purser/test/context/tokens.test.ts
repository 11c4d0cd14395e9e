import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { estimateTokens, takeWeight, weigh } from '../../src/context/render/token-weight.ts'
import { openPurser } from '../../src/index.ts'
import type { Mode } from '../../src/options/context-section.ts'
import { openContextHarness } from '../support/context-harness.ts'
import { rounds, seed } from '../support/fuzz-options.ts'

test('the estimate is additive, at least a quarter of a token for each byte of ASCII, and cuts between characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.nat(200), (one, other, max) => {
      assert.equal(weigh(one + other), weigh(one) + weigh(other))
      assert.ok(estimateTokens(one) >= Math.ceil(one.length / 4))
      const start = takeWeight(one, max)
      assert.ok(one.startsWith(start) && weigh(start) <= max)
      if (one.isWellFormed()) assert.ok(start.isWellFormed())
    }),
    { seed, numRuns: rounds(20_000, 1_000) },
  )
  assert.deepEqual(['', 'abcd', '2026-01-01', 'नमस्ते', '🎉'].map(estimateTokens), [0, 1, 6, 5, 2])
})

test('a first chat of an unknown user adds at most 40 tokens, one of a user with three fields and ten actions at most 250', async () => {
  await using purser = await openPurser({ store: 'memory:', timeZone: 'America/Argentina/Buenos_Aires' })
  const unknown = await purser.user('unknown').context.resolve()
  assert.ok(unknown.tokens <= 40 && unknown.tokens > 0, `${unknown.tokens}`)
  const asha = purser.user('asha')
  await asha.profile.put({ name: 'Asha Rao', preferred_language: 'Hindi', plan: 'gold' })
  const actions = Array.from({ length: 10 }, (_, index) => ({
    action: `Finished exercise ${index} of lesson ${index * 3}`,
    at: Date.parse('2026-05-04T10:00:00Z') + index * 40_000_000,
  }))
  await asha.actions.record(actions)
  const { tokens, text, sections } = await asha.context.resolve()
  assert.ok(tokens <= 250, `${tokens}`)
  assert.equal(tokens, estimateTokens(text))
  assert.ok(sections.every((section) => section.tokens === estimateTokens(section.text) && section.tokens > 0))
})

test('over the budget the oldest actions are cut first, then the sections of lowest priority', async () => {
  await using harness = await openContextHarness({
    mode: 'plain',
    clock: 'off',
    sources: {
      profile: async () => ({ name: 'Asha' }),
      actions: async () => Array.from({ length: 20 }, (_, index) => ({ action: `did ${index}`, at: index * 1_000 })),
    },
    sections: {
      facts: { source: async () => 'one two three four five six seven eight nine ten', priority: 1 },
      notes: { source: async () => ['first note of the user', 'second note of the user'], priority: -0.5 },
    },
  })
  const { context } = harness.user('asha')
  const names = async (maxTokens: number) => {
    const { sections, text, tokens } = await context.resolve({ maxTokens })
    assert.ok(tokens <= maxTokens)
    for (const section of sections) assert.ok(text.includes(section.text))
    return sections.map(({ name, text: own, cut }) => `${name} ${own === '' ? 'omitted' : 'shown'} ${cut}`)
  }
  assert.deepEqual(await names(1_000), ['profile shown 0', 'actions shown 0', 'facts shown 0', 'notes shown 0'])
  assert.deepEqual(await names(100), ['profile shown 0', 'actions shown 16', 'facts shown 0', 'notes shown 0'])
  assert.deepEqual(await names(40), ['profile shown 0', 'actions omitted 1', 'facts shown 0', 'notes omitted 2'])
  assert.deepEqual(await names(30), ['profile omitted 1', 'actions omitted 1', 'facts shown 0', 'notes omitted 1'])
  assert.deepEqual(await names(0), ['profile omitted 1', 'actions omitted 1', 'facts omitted 1', 'notes omitted 1'])
  assert.equal((await context.resolve({ maxTokens: 0 })).text, '')
  assert.match(
    (await context.resolve({ maxTokens: 100 })).actions,
    /\(16 earlier actions omitted\).*did 16; .*did 19$/s,
  )
  for (const maxTokens of [-1, 1.5, '100', Number.NaN])
    await assert.rejects(context.resolve({ maxTokens: maxTokens as number }), { code: 'argument_invalid' })
})

test('null is no limit of tokens, of time or of age, for one call', async () => {
  const begun = Promise.withResolvers<void>()
  await using harness = await openContextHarness({
    mode: 'plain',
    maxTokens: 5,
    budgetMs: 0,
    sources: {
      profile: async () => {
        await begun.promise
        return { name: 'Asha' }
      },
    },
  })
  const { context } = harness.user('asha')
  const loading = context.resolve({ maxTokens: null, budgetMs: null, maxAgeMs: null })
  await harness.clock.pass(2_000)
  begun.resolve()
  assert.match((await loading).text, /name: Asha/)
  assert.equal((await context.resolve()).text, '', 'other calls keep the configured limit')
})

test('a section has a token limit of its own', async () => {
  await using harness = await openContextHarness({
    mode: 'plain',
    sources: { profile: async () => ({ about: 'word '.repeat(90), name: 'Asha' }) },
    sections: {
      profile: { maxTokens: 20 },
      story: { source: async () => 'once upon a time', render: () => 'long '.repeat(200), maxTokens: 25 },
    },
  })
  const { sections } = await harness.user('asha').context.resolve()
  const [profile, , story] = sections
  assert.deepEqual([profile?.text, profile?.cut], ['(2 more are not shown)', 2])
  assert.ok((story?.tokens ?? 99) <= 25 && story?.text.endsWith('…') && story.cut === 1)
})

const word = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('नमस्ते', '2026-01-01T10:00', 'a b c', '🎉'))
const scenario = fc.record({
  profile: fc.dictionary(word, word, { maxKeys: 8 }),
  rows: fc.array(fc.record({ action: word, at: fc.integer({ min: 1_600_000_000_000, max: 1_767_268_800_000 }) }), {
    maxLength: 40,
  }),
  notes: fc.array(word, { maxLength: 10 }),
  priorities: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 3, maxLength: 3 }),
  mode: fc.constantFrom<Mode>('plain', 'reuse', 'create'),
  small: fc.nat(400),
  more: fc.nat(200),
  clock: fc.constantFrom<'minute' | 'off'>('minute', 'off'),
})

test('a context is never over its token budget, and a larger budget keeps everything that a smaller one kept', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ profile, rows, notes, priorities, mode, small, more, clock }) => {
      const [one, two, three] = priorities
      await using harness = await openContextHarness({
        mode,
        clock,
        sources: { profile: async () => profile, actions: async () => rows },
        sections: {
          profile: { priority: one },
          actions: { priority: two },
          notes: { source: async () => notes, priority: three },
        },
      })
      const { context } = harness.user('asha')
      const smaller = await context.resolve({ maxTokens: small })
      const larger = await context.resolve({ maxTokens: small + more })
      const all = await context.resolve({ maxTokens: 100_000 })
      assert.equal(await context.resolve({ maxTokens: small }), smaller, 'equal calls give equal contexts')
      assert.ok(smaller.tokens <= small && estimateTokens(smaller.text) === smaller.tokens)
      assert.ok(larger.tokens <= small + more)
      for (const [index, section] of smaller.sections.entries()) {
        const wider = larger.sections[index]
        const full = all.sections[index]
        const isUncut = section.text === full?.text
        if (isUncut) assert.equal(wider?.text, section.text)
        else assert.ok(section.cut > (full?.cut ?? 0))
        if (section.text !== '') assert.notEqual(wider?.text, '')
        // `cut` counts items, except for a section that was omitted as a whole.
        if (section.text !== '') assert.ok((wider?.cut ?? 0) <= section.cut)
      }
    }),
    { seed, numRuns: rounds(3_000, 150) },
  )
})
