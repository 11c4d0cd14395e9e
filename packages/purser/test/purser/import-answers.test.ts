import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { importedRequest, openPurser, PurserError } from '../../src/index.ts'

test('a legacy cache file is imported for one user, and its answers are found under the text of their keys (CM-09)', async () => {
  await using purser = await openPurser({ store: 'memory:' })
  const at = Date.now() / 1000
  const entry = (response: string) => ({
    response,
    timestamp: '2026-11-20 10:00:00',
    created_at: at,
    last_accessed: at,
    text_length: response.length,
  })
  const key = createHash('sha256').update('model|system|question').digest('hex')
  const text = JSON.stringify({ [key]: entry('a legacy answer'), broken: 7 })
  const report = await purser.answers.import('ada', text)
  assert.equal(report.imported, 1)
  assert.equal(report.found, 2)
  const found = await purser.user('ada').answers.lookup(importedRequest('model|system|question'))
  assert.equal(found?.answer, 'a legacy answer')
  assert.equal(await purser.user('eve').answers.lookup(importedRequest('model|system|question')), undefined)
  await assert.rejects(
    async () => purser.answers.import('', text),
    (error: unknown) => PurserError.is(error, 'user_id_invalid'),
  )
})
