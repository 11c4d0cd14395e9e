import { systemEffects } from '../../src/core/effects.ts'
import { openStore } from '../drivers/children/open-store.ts'
import { openLedgerHarness } from '../support/ledger-harness.ts'
import { INITIAL } from './ledger-model.ts'
import { type Lane, runCalls } from './run-calls.ts'

/**
 * A process that makes calls: for each line `{ user, lanes }` on standard input it runs the lanes, and prints what it has
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
    const { user, lanes } = JSON.parse(line) as { readonly user: string; readonly lanes: readonly Lane[] }
    console.log(JSON.stringify(await runCalls(harness.user(user), lanes)))
  }
})
process.stdin.on('end', () => process.exit(0))
