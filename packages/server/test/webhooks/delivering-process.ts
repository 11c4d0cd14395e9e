/*
 * A process that records events and delivers them, until it is killed. argv: URL of the store, number of events.
 */
import { openFastWebhooks } from '../support/fast-webhooks.ts'

const [store = '', count = '0'] = process.argv.slice(2)
const { purser, webhooks } = await openFastWebhooks(store)
const ids: string[] = []
for (let index = 0; index < Number(count); index++)
  ids.push((await purser.user(`user-${index % 2}`).ledger.record('app:seen')).id)
process.stdout.write(`${JSON.stringify(ids)}\n`)
webhooks.start()
// Timers of webhooks do not keep a process alive.
setInterval(() => undefined, 1_000)
