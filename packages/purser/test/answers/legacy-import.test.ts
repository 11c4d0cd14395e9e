import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { importAnswers, importedRequest } from '../../src/answers/legacy-import.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { alice, bob, openAnswersHarness } from '../support/answers-harness.ts'
import { rounds, seed } from '../support/fuzz-options.ts'

const NOW = Date.parse('2026-01-01T12:00:00Z')
const keyOf = (text: string): string => createHash('sha256').update(text).digest('hex')

function entry(response: string, ageSeconds = 60): Record<string, unknown> {
  const at = NOW / 1_000 - ageSeconds
  return {
    response,
    timestamp: '2026-01-01 11:59:00',
    created_at: at,
    last_accessed: at,
    text_length: [...response].length,
  }
}

function file(entries: Record<string, unknown>): string {
  return JSON.stringify(entries, null, 2)
}

test('a legacy file is imported with its dates, for one user (CM-09)', async () => {
  const { answers, clock } = await openAnswersHarness()
  const progress: number[] = []
  const entries = Object.fromEntries(
    Array.from({ length: 120 }, (_, n) => [keyOf(`m|p|${n}`), entry(`Antwort ${n} 😀`)]),
  )
  const onProgress = ({ done, total }: { done: number; total: number }): number => progress.push(done / total)
  const report = await importAnswers(answers, {
    user: alice,
    text: file(entries),
    options: { onProgress },
    now: clock.now,
  })
  assert.deepEqual(report, { found: 120, imported: 120, skipped: {}, examples: [], whole: true })
  assert.deepEqual(progress, [50 / 120, 100 / 120, 1])
  assert.deepEqual(await answers.of(alice).lookup(importedRequest('m|p|7')), {
    answer: 'Antwort 7 😀',
    storedAt: '2026-01-01T11:59:00.000Z',
    expiresAt: '2026-01-08T11:59:00.000Z',
  })
  assert.equal(await answers.of(bob).lookup(importedRequest('m|p|7')), undefined)
})

test('access times are imported, so the least recently used answer is evicted first (CM-15)', async () => {
  const { answers, clock } = await openAnswersHarness({ answers: { maxEntries: 2 } })
  const text = file({
    [keyOf('old')]: { ...entry('old', 50), last_accessed: NOW / 1_000 - 10 },
    [keyOf('new')]: { ...entry('new', 40), last_accessed: NOW / 1_000 - 20 },
  })
  await importAnswers(answers, { user: alice, text, options: {}, now: clock.now })
  await answers.of(alice).remember('one more', () => 1)
  await answers.flush()
  assert.equal((await answers.of(alice).lookup(importedRequest('old')))?.answer, 'old')
  assert.equal(await answers.of(alice).lookup(importedRequest('new')), undefined)
})

test('an entry that cannot be imported is reported with its reason and does not affect other entries (CM-D03, CM-D06)', async () => {
  const { answers, clock } = await openAnswersHarness({ answers: { maxBytes: 50_000 } })
  const text = file({
    [keyOf('fine')]: entry('fine'),
    [keyOf('no response')]: { timestamp: 'x', created_at: 1 },
    [keyOf('text')]: 'just text',
    [keyOf('nothing')]: null,
    [keyOf('cut')]: { ...entry('a longer text'), response: 'a lon' },
    [keyOf('old')]: entry('old', 8 * 86_400),
    [keyOf('large')]: entry('x'.repeat(60_000)),
    [keyOf('bad date')]: { ...entry('bad date'), created_at: 'yesterday' },
    [keyOf('future')]: entry('future', -86_400),
    [keyOf('bare')]: { response: '' },
  })
  const { examples, ...report } = await importAnswers(answers, { user: alice, text, options: {}, now: clock.now })
  assert.deepEqual(report, {
    found: 10,
    imported: 4,
    skipped: { unreadable: 3, incomplete: 1, expired: 1, refused: 1 },
    whole: true,
  })
  assert.equal(examples.length, 6)
  for (const name of ['fine', 'bad date', 'future'])
    assert.equal((await answers.of(alice).lookup(importedRequest(name)))?.answer, name)
  assert.equal((await answers.of(alice).lookup(importedRequest('future')))?.storedAt, '2026-01-01T12:00:00.000Z')
  assert.equal((await answers.of(alice).lookup(importedRequest('bare')))?.answer, '')
})

test('an entry without a date can be imported without expiry, or skipped (CM-11)', async () => {
  const text = file({ [keyOf('legacy')]: { response: 'legacy', timestamp: '2020-01-01 00:00:00' } })
  const unlimited = await openAnswersHarness()
  await importAnswers(unlimited.answers, {
    user: alice,
    text,
    options: { undated: 'forever' },
    now: unlimited.clock.now,
  })
  unlimited.clock.advance(400 * 86_400_000)
  assert.equal((await unlimited.answers.of(alice).lookup(importedRequest('legacy')))?.answer, 'legacy')
  const { answers, clock } = await openAnswersHarness()
  const report = await importAnswers(answers, { user: alice, text, options: { undated: 'skip' }, now: clock.now })
  assert.deepEqual(report.skipped, { undated: 1 })
})

test('every complete entry of a torn file is imported, and none is invented (CM-D03)', async () => {
  const names = Array.from({ length: 12 }, (_, n) => `entry ${n}`)
  // Answers that contain what the recovery searches for.
  const tricky = (name: string): string => `${name} "${keyOf('inner')}": { "response": "fake" } \\" } { 😀`
  const whole = file(Object.fromEntries(names.map((name) => [keyOf(name), entry(tricky(name))])))
  let state = seed || 1
  const roll = (limit: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return state % limit
  }
  for (let round = 0; round < rounds(2_000, 100); round++) {
    const at = roll(whole.length)
    const hole = 1 + roll(200)
    const lost = roll(2) === 0 ? '' : '\u0000'.repeat(hole) + whole.slice(at + hole)
    const torn = whole.slice(0, at) + lost
    const { answers } = await openAnswersHarness()
    const report = await importAnswers(answers, { user: alice, text: torn, options: {}, now: handClock().now })
    let found = 0
    for (const name of names) {
      const hit = await answers.of(alice).lookup(importedRequest(name))
      if (hit === undefined) continue
      found++
      assert.equal(hit.answer, tricky(name))
    }
    assert.equal(found, report.imported)
    const untouched = names.filter((name) => torn.includes(JSON.stringify(entry(tricky(name)).response))).length
    // A hole may remove the end of one entry and the key of the next.
    assert.ok(found >= untouched - 2, `${found} of ${untouched} whole answers`)
    assert.equal(await answers.of(alice).lookup(importedRequest('inner')), undefined)
  }
})

test('text that is not a legacy file gives an empty report', async () => {
  const { answers, clock } = await openAnswersHarness()
  for (const text of ['', 'nonsense', '[]', '"text"', '{}']) {
    const { found, imported } = await importAnswers(answers, { user: alice, text, options: {}, now: clock.now })
    assert.deepEqual({ found, imported }, { found: 0, imported: 0 })
  }
})
