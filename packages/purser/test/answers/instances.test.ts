import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openPurser } from '../../src/index.ts'

test('forgotten or cleared answers are served by no instance once the call has resolved', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'purser-instances-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const store = `sqlite:${join(directory, 'purser.db')}`
  await using here = await openPurser({ store })
  await using there = await openPurser({ store })
  // An instance subscribes to the bus before its first write.
  await there.user('bob').answers.remember('own', () => 'b')
  await there.answers.flush()
  for (const remove of [() => here.user('ada').answers.forget(), () => here.answers.clear()]) {
    await here.user('ada').answers.remember('q', () => 'a')
    await here.answers.flush()
    assert.equal((await there.user('ada').answers.lookup('q'))?.answer, 'a')
    await remove()
    assert.equal(await there.user('ada').answers.lookup('q'), undefined)
  }
})
