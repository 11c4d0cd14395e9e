import type { Effects } from '../../effects.ts'
import type { Store } from '../../store.ts'
import { createLocalBus } from '../local-bus.ts'
import { createMemoryAnswers } from './answers.ts'
import { createMemoryEvents } from './events.ts'
import { createMemoryLastGood } from './last-good.ts'
import { createRows } from './rows.ts'
import { createMemoryUsers } from './users.ts'

/**
 * A store in this process's memory: for tests, trials and short-lived programs. It behaves as every other driver
 * does, but for one thing: when the process ends, all of it is gone.
 */
export async function openMemoryStore(_house: { readonly effects: Effects }): Promise<Store> {
  const rows = createRows()
  const bus = createLocalBus()
  const answers = createMemoryAnswers()
  const lastGood = createMemoryLastGood()
  const meta = new Map<string, string>()
  return {
    traits: { name: 'memory', durable: false, shared: false, location: ':memory:' },
    meta: {
      async get(name) {
        return meta.get(name)
      },
      async compareAndSet(name, expected, value) {
        if (meta.get(name) !== expected) return false
        meta.set(name, value)
        return true
      },
    },
    users: createMemoryUsers(rows, bus, async (user, owner) => {
      await lastGood.drop(user)
      return answers.forget({ namespace: user.namespace, owner })
    }),
    events: createMemoryEvents(rows),
    bus: {
      async publish(message) {
        bus.deliver(message)
      },
      subscribe: bus.subscribe,
    },
    answers,
    lastGood,
    async close() {},
  }
}
