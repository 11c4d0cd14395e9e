import { systemEffects } from '../../src/core/effects.ts'
import { openStore } from '../drivers/children/open-store.ts'
import { openLedgerHarness } from '../support/ledger-harness.ts'
import { INITIAL } from './ledger-model.ts'
import { runCalls, type Sequence } from './run-calls.ts'

/**
 * A process that makes calls: for each line `{ user, sequences }` on standard input it runs the sequences, and prints what it has
 * recorded as one line. It prints `ready` first.
 */
const [location = ''] = process.argv.slice(2)
const store = await openStore(location)
const harness = await openLedgerHarness({ store, effects: systemEffects, dailyCap: INITIAL.cap })
console.log('ready')
let rest = ''
process.stdin.setEncoding('utf8').on('data', async (text: string) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) {
    const { user, sequences } = JSON.parse(line) as { readonly user: string; readonly sequences: readonly Sequence[] }
    console.log(JSON.stringify(await runCalls(harness.user(user), sequences)))
  }
})
process.stdin.on('end', () => process.exit(0))
