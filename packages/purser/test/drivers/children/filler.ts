import { systemEffects } from '../../../src/core/effects.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { PurserError } from '../../../src/errors.ts'
import { accept, ann } from '../../../src/testing/store-contract/samples.ts'
import { say } from './report.ts'

/** Writes large records until one cannot be written, and says the error's code. */
const [path = ''] = process.argv.slice(2)
const store = await openSqliteStore({ path, effects: systemEffects })
let revision: number | null = null
try {
  for (let number = 0; ; number++) {
    const record = { kind: 'note', name: String(number), value: 'x'.repeat(50_000) }
    revision = await accept(store, ann, { expect: revision, records: [record] })
    say(`written ${number}`)
  }
} catch (error) {
  say(`${PurserError.is(error) ? error.code : error}`)
}
if ((await store.users.load(ann))?.revision === revision) say('still reads')
process.exit(0)
