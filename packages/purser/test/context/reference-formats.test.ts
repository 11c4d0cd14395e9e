import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IGNORED_ACTIONS } from '../../src/templates/action-templates.ts'
import { openContextHarness } from '../support/context-harness.ts'
import { seed } from '../support/fuzz-options.ts'
import { type FeedRow, formatCreate, formatReuse } from '../support/reference-formatters.ts'

const NOW = Date.parse('2026-01-01T12:00:00Z')

const word = fc.stringMatching(
  /^[A-Za-z0-9\u00e4\u0915\u094d\u0937][A-Za-z0-9 .:'\u00e4\u0915\u094d\u0937-]{0,18}[A-Za-z0-9]$/,
)
const date = fc
  .oneof(fc.integer({ min: -7 * 60, max: 60 }), fc.integer({ min: -20_000_000, max: 0 }))
  .map((seconds) => new Date(NOW + seconds * 1_000).toISOString())
const row = fc.record(
  {
    action: fc.oneof(word, fc.constantFrom('Login', 'Read', 'Sang', ...IGNORED_ACTIONS)),
    created_date: date,
    zeroshot_label: fc.constantFrom('Video Reasoning', 'Screen Reasoning', 'Other'),
    gpt3_label: fc.constantFrom('Visual Context', 'Other'),
  },
  { requiredKeys: ['action'] },
)
const profile = fc.dictionary(
  fc.constantFrom('name', 'display_name', 'username', 'gender', 'preferred_language', 'dob', 'standard', 'plan', 'a b'),
  fc.oneof(word, fc.constant('')),
  { maxKeys: 6 },
)

test('UC-30 to UC-45 the modes reuse and create equal their reference formats, byte for byte, over 10,000 random feeds', async () => {
  let data: { profile: Record<string, string>; rows: FeedRow[] } = { profile: {}, rows: [] }
  await using harness = await openContextHarness({
    maxUsers: 10,
    sources: { profile: async () => data.profile, actions: async () => data.rows },
  })
  let user = 0
  await fc.assert(
    fc.asyncProperty(
      profile,
      fc.array(row, { maxLength: 12 }),
      fc.constantFrom('UTC', 'Asia/Kolkata', 'America/New_York'),
      async (fields, rows, timeZone) => {
        data = { profile: fields, rows }
        const { context } = harness.user(`user-${user++}`)
        const options = { now: NOW, timeZone, ignored: IGNORED_ACTIONS }
        for (const [mode, format] of [
          ['reuse', formatReuse],
          ['create', formatCreate],
        ] as const) {
          const { details, actions, text } = await context.resolve({ mode, timeZone })
          assert.deepEqual({ details, actions, text }, format(fields, rows, options))
        }
      },
    ),
    { seed, numRuns: 10_000 },
  )
})
