import { openPurser, type Purser, systemEffects } from 'purser'
import { getEventLog, getMeta, getSealer } from 'purser/internal'
import { Webhooks } from '../../src/webhooks/webhooks.ts'

/** Leases, pauses and retries of webhooks end this many times sooner; time-outs of the store do not. */
const SPEED = 50
/** From here on time is faster, in all processes. */
const FROM = Date.parse('2026-01-01T00:00:00Z')
export const FAST_SECRET_KEY: string = Buffer.alloc(32, 7).toString('base64')

export interface FastWebhooks {
  readonly purser: Purser
  readonly webhooks: Webhooks
}

/** Webhooks on a store of any kind, over HTTP to private addresses. They are not started. */
export async function openFastWebhooks(store: string): Promise<FastWebhooks> {
  const purser = await openPurser({ store, secretKey: FAST_SECRET_KEY })
  const webhooks = new Webhooks({
    effects: {
      ...systemEffects,
      now: () => FROM + (systemEffects.now() - FROM) * SPEED,
      monotonic: () => systemEffects.monotonic() * SPEED,
      setTimer: (run, delayMs, options) => systemEffects.setTimer(run, delayMs / SPEED, options),
    },
    meta: getMeta(purser),
    log: getEventLog(purser),
    sealer: getSealer(purser),
    namespace: purser.namespace,
    allowPrivate: true,
  })
  return { purser, webhooks }
}
