import assert from 'node:assert/strict'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { PurserError } from '../../../src/errors.ts'
import type { Store } from '../../../src/storage/store.ts'
import { handClock } from '../../../src/testing/index.ts'
import { ann, mustCommit, NAMESPACE, withEvents } from '../../../src/testing/store-contract/samples.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

const open = (path: string): Promise<Store> => openSqliteStore({ path, effects: handClock() })

test('a backup under load is a copy of one instant, and opens as a store', async () => {
  const path = temporaryPath()
  const file = join(dirname(path), 'backup.db')
  const store = await open(path)
  let isDone = false
  const backup = store.backup?.(file).then(() => {
    isDone = true
  })
  let written = 0
  for (let revision = 0; !isDone; revision = written) {
    written++
    await mustCommit(store, ann, { expect: revision === 0 ? null : revision, ...withEvents(written, written) })
  }
  await backup
  await store.close()
  assert.equal((statSync(file).mode & 0o777).toString(8), '600')
  const copy = await open(file)
  const row = await copy.users.load(ann)
  const events = await copy.events.oldest(ann, { after: 0, limit: 1_000_000 })
  assert.equal(events.length, row?.head?.sequence ?? 0)
  await mustCommit(copy, { namespace: NAMESPACE, id: 'new' })
  await copy.close()
})

test('a backup overwrites no file, and a failed one leaves no file', async () => {
  const path = temporaryPath()
  const store = await open(path)
  const existing = join(dirname(path), 'existing')
  writeFileSync(existing, 'content')
  const isInvalid = (error: unknown): boolean => PurserError.is(error, 'argument_invalid') && error.hint !== undefined
  for (const file of [existing, path, join(dirname(path), 'missing', 'backup')])
    await assert.rejects(async () => store.backup?.(file), isInvalid)
  const unused = join(dirname(path), 'unused')
  await store.close()
  await assert.rejects(
    async () => store.backup?.(unused),
    (error) => PurserError.is(error, 'closed'),
  )
  assert.ok(!existsSync(unused))
})
