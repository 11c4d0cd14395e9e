import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { isObject } from '../../src/core/validate.ts'
import { handClock } from '../../src/testing/index.ts'
import { openFixedPurser, readRecords } from '../support/fixed-purser.ts'
import { temporaryPath } from '../support/temporary-store.ts'

/*
 * Stores of earlier schemas, with records of turns, sums and limits, as `drivers/fixtures/write-sqlite.ts` wrote them.
 * Fixtures are added, never edited.
 */

const FIXTURES = join(import.meta.dirname, '..', 'drivers', 'fixtures')
const USERS = ['ada', 'kim']

interface Fixture {
  /** Wall clock at its end, epoch ms. */
  readonly wall: number
  readonly expected: unknown
}

const names = readdirSync(FIXTURES).filter((file) => /^sqlite-\d+\.json$/.test(file))
assert.ok(names.length > 0)

for (const name of names) {
  test(`${name}: turns, sums and limits are read as they were written, go on, and are erased`, async () => {
    const { wall, expected } = JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as Fixture
    const path = temporaryPath()
    copyFileSync(join(FIXTURES, name.replace('.json', '.db')), path)
    chmodSync(path, 0o600)
    const clock = handClock({ wall: new Date(wall).toISOString() })
    await using purser = await openFixedPurser(`sqlite:${path}`, clock)
    assert.deepEqual(fieldsOf(expected, JSON.parse(JSON.stringify(await readRecords(purser, USERS)))), expected)
    assert.equal((await purser.verify()).ok, true)

    const ada = purser.user('ada')
    const [month] = await ada.usage({ by: 'month', from: '2026-03' })
    const before = await ada.turns({ limit: 1_000 })
    const turn = await ada.turn({ messages: [{ role: 'user', content: 'use 5 6' }] })
    assert.ok(turn.allowed)
    await turn.completion()
    assert.deepEqual((await ada.turns({ limit: 1_000 })).slice(1), before)
    const [after] = await ada.usage({ by: 'month', from: '2026-03' })
    assert.equal((after?.turns ?? 0) - (month?.turns ?? 0), 1)
    assert.equal((after?.inputTokens ?? 0) - (month?.inputTokens ?? 0), 5)

    const { erased } = await ada.erase({ actor: 'ana', reason: 'asked' })
    assert.deepEqual([erased.turns, erased.bond], [before.length + 1, 1])
    assert.ok(erased.usage > 0 && erased.limits >= 0)
    assert.deepEqual([await ada.turns(), await ada.usage({ from: '2026-03' })], [[], []])
    assert.deepEqual(countRows(path, ada.id), { turns: 0, sums: 0 })
  })
}

/** Without the fields that a later version has added. */
function fieldsOf(expected: unknown, actual: unknown): unknown {
  if (Array.isArray(expected) && Array.isArray(actual))
    return actual.map((item, index) => (index < expected.length ? fieldsOf(expected[index], item) : item))
  if (!isObject(expected) || !isObject(actual)) return actual
  return Object.fromEntries(Object.keys(expected).map((name) => [name, fieldsOf(expected[name], actual[name])]))
}

/** Rows of users who are not stored any more. */
function countRows(path: string, erased: string): { readonly turns: number; readonly sums: number } {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const count = (table: string): number =>
      Number(
        database
          .prepare(`SELECT count(*) AS rows FROM ${table} WHERE uid NOT IN (SELECT uid FROM users WHERE id <> ?)`)
          .get(erased)?.rows,
      )
    return { turns: count('turns'), sums: count('user_sums') }
  } finally {
    database.close()
  }
}
