import { describe, test } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { handClock, storeContract } from '../../src/testing/index.ts'
import { temporaryPath } from '../support/temporary-store.ts'

describe('memory', () => {
  storeContract({ test, open: () => openMemoryStore({ effects: handClock() }) })
})

describe('sqlite', () => {
  storeContract({
    test,
    open: () => openSqliteStore({ path: temporaryPath(), effects: handClock() }),
    reopen: ({ traits }) => openSqliteStore({ path: traits.location, effects: handClock() }),
  })
})
