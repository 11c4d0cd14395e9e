import { systemEffects } from '../../../src/core/effects.ts'
import { createKeyring } from '../../../src/core/keyring.ts'
import { openJournal } from '../../../src/journal/journal.ts'
import { countingFold, ROOT } from './counting-fold.ts'
import { openStore } from './open-store.ts'
import { printLine } from './print-line.ts'

/**
 * Writes to its users until it is killed, and prints one line for each acknowledged write: `USER SEQUENCE`. Every write
 * stores an event, a record and its usage, which must agree whenever the process is killed.
 */
const [location = '', users = ''] = process.argv.slice(2)
const store = await openStore(location)
const journal = openJournal({ store, keys: createKeyring(ROOT), effects: systemEffects, fold: countingFold })

async function writeForever(id: string): Promise<never> {
  for (;;) {
    const sequence = await journal.write(
      { namespace: 'crash', id },
      {
        decide: ({ version }) => ({
          events: [{ type: 'test:step', detail: '', data: { padding: 'x'.repeat(version % 2_000) } }],
          records: [{ kind: 'note', name: String(version + 1).padStart(9, '0'), value: 'y'.repeat(version % 3_000) }],
          usage: { steps: version + 1 },
          seen: true,
          result: ({ view }) => view.version,
        }),
      },
    )
    printLine(`${id} ${sequence}`)
  }
}

await Promise.all(users.split(',').map(writeForever))
