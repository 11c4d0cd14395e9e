/*
 * A server that records events and delivers them, until it is killed. Its time runs fifty times as fast, so that the lease of
 * the process before it ends soon. argv: path of the store, number of events.
 */
import { systemEffects } from 'purser'
import { openServer } from '../../src/app/server.ts'

const [path = '', count = '0'] = process.argv.slice(2)
const SPEED = 50
const server = await openServer({
  config: { store: `sqlite:${path}`, server: { logLevel: 'silent', allowPrivateWebhooks: true } },
  effects: {
    ...systemEffects,
    monotonic: () => systemEffects.monotonic() * SPEED,
    setTimer: (run, delayMs, options) => systemEffects.setTimer(run, delayMs / SPEED, options),
  },
})
const { purser, webhooks } = server.context
const ids: string[] = []
for (let index = 0; index < Number(count); index++)
  ids.push((await purser.user(`user-${index % 2}`).ledger.record('app:seen')).id)
process.stdout.write(`${JSON.stringify(ids)}\n`)
webhooks.start()
// Timers of webhooks do not keep a process alive.
setInterval(() => undefined, 1_000)
