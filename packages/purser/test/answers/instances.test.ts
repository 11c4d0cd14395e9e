import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openPurser } from '../../src/index.ts'

test('C8: what was forgotten or cleared is served by no other instance when the call resolves', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'purser-instances-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const store = `sqlite:${join(directory, 'purser.db')}`
  await using here = await openPurser({ store })
  await using there = await openPurser({ store })
  // What an instance writes goes behind its being a listener.
  await there.user('bob').answers.remember('own', () => 'b')
  for (const leave of [() => here.user('ada').answers.forget(), () => here.answers.clear()]) {
    await here.user('ada').answers.remember('q', () => 'a')
    assert.equal((await there.user('ada').answers.lookup('q'))?.answer, 'a')
    await leave()
    assert.equal(await there.user('ada').answers.lookup('q'), undefined)
  }
})
