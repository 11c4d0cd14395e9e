import { systemEffects } from '../../../src/core/effects.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { PurserError } from '../../../src/errors.ts'
import { ann, mustCommit } from '../../../src/testing/store-contract/samples.ts'
import { printLine } from './print-line.ts'

/** Writes large records until a write fails, and prints the code of the error. */
const [path = ''] = process.argv.slice(2)
const store = await openSqliteStore({ path, effects: systemEffects })
let revision: number | null = null
try {
  for (let number = 0; ; number++) {
    const record = { kind: 'note', name: String(number), value: 'x'.repeat(50_000) }
    revision = await mustCommit(store, ann, { expect: revision, records: [record] })
    printLine(`written ${number}`)
  }
} catch (error) {
  printLine(`${PurserError.is(error) ? error.code : error}`)
}
if ((await store.users.load(ann))?.revision === revision) printLine('still reads')
process.exit(0)
