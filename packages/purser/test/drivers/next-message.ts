import { systemEffects } from '../../src/core/effects.ts'
import type { BusMessage, Store } from '../../src/storage/store.ts'

type Received = BusMessage | 'gap'

/** Resolves to the first message that matches; rejects after half a minute. */
export function nextMessage(store: Store, matches: (message: Received) => boolean): Promise<Received> {
  return new Promise((resolve, reject) => {
    const cancel = systemEffects.setTimer(() => reject(new Error('No message was received.')), 30_000)
    store.bus.subscribe((message) => {
      if (!matches(message)) return
      cancel()
      resolve(message)
    })
  })
}
