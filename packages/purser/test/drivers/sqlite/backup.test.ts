import assert from 'node:assert/strict'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { PurserError } from '../../../src/errors.ts'
import type { Store } from '../../../src/storage/store.ts'
import { handClock } from '../../../src/testing/index.ts'
import { accept, ann, NAMESPACE, withEvents } from '../../../src/testing/store-contract/samples.ts'
import { newPath } from '../../support/temporary-store.ts'

const open = (path: string): Promise<Store> => openSqliteStore({ path, effects: handClock() })

test('a backup taken under load is one instant of the store, and opens as a store', async () => {
  const path = newPath()
  const file = join(dirname(path), 'backup.db')
  const store = await open(path)
  let isDone = false
  const backing = store.backup?.(file).then(() => {
    isDone = true
  })
  let written = 0
  for (let revision = 0; !isDone; revision = written) {
    written++
    await accept(store, ann, { expect: revision === 0 ? null : revision, ...withEvents(written, written) })
  }
  await backing
  await store.close()
  assert.equal((statSync(file).mode & 0o777).toString(8), '600')
  const copy = await open(file)
  const row = await copy.users.load(ann)
  const events = await copy.events.oldest(ann, { after: 0, limit: 1_000_000 })
  assert.equal(events.length, row?.head?.sequence ?? 0)
  await accept(copy, { namespace: NAMESPACE, id: 'new' })
  await copy.close()
})

test('a backup overwrites nothing, and what fails leaves nothing behind', async () => {
  const path = newPath()
  const store = await open(path)
  const taken = join(dirname(path), 'taken')
  writeFileSync(taken, 'mine')
  const isInvalid = (error: unknown): boolean => PurserError.is(error, 'argument_invalid') && error.hint !== undefined
  for (const file of [taken, path, join(dirname(path), 'no', 'where')])
    await assert.rejects(async () => store.backup?.(file), isInvalid)
  const free = join(dirname(path), 'free')
  await store.close()
  await assert.rejects(
    async () => store.backup?.(free),
    (error) => PurserError.is(error, 'closed'),
  )
  assert.ok(!existsSync(free))
})
