import { ann } from '../../../src/testing/store-contract/samples.ts'
import { openStore } from './open-store.ts'
import { printLine } from './print-line.ts'

/** Takes the write lock and prints a line at once, so that it can be stopped while it holds the lock. */
const [location = ''] = process.argv.slice(2)
const store = await openStore(location)
await store.users.lockWrites?.([ann])
printLine('locked')
