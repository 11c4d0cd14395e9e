import type { Effects } from '../../core/effects.ts'
import { storeClosed } from '../../errors.ts'
import type { Store } from '../../storage/store.ts'
import { createLocalBus } from '../local-bus.ts'
import { type Calls, wrapCalls } from '../wrap-calls.ts'
import { createMemoryRows } from './all-rows.ts'
import { createMemoryAnswers } from './answers.ts'
import { createMemoryEvents } from './events.ts'
import { createMemoryInstances } from './instances.ts'
import { createMemoryLastGood } from './last-good.ts'
import { createRows } from './rows.ts'
import { createMemorySums } from './sums.ts'
import { createMemoryTurns } from './turns.ts'
import { createMemoryUsers } from './users.ts'

/**
 * Opens a store in the memory of this process, for tests and short-lived programs. It behaves like every other driver,
 * but its data is lost when the process ends.
 */
export async function openMemoryStore({ effects }: { readonly effects: Effects }): Promise<Store> {
  const rows = createRows()
  const bus = createLocalBus()
  const answers = createMemoryAnswers()
  const lastGood = createMemoryLastGood()
  const meta = new Map<string, string>()
  let closed = false
  const isClosed = (): boolean => closed
  const users = createMemoryUsers(rows, bus, async (user, owner) => {
    await lastGood.drop(user)
    return answers.forget({ namespace: user.namespace, owner })
  })
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
    users: guardClosed(users, isClosed),
    events: guardClosed(createMemoryEvents(rows), isClosed),
    turns: guardClosed(createMemoryTurns(rows), isClosed),
    sums: guardClosed(createMemorySums(rows), isClosed),
    bus: {
      async publish(message) {
        bus.deliver(message)
      },
      subscribe: bus.subscribe,
    },
    rows: guardClosed(createMemoryRows(rows, meta), isClosed),
    answers,
    lastGood: guardClosed(lastGood, isClosed),
    instances: guardClosed(createMemoryInstances(effects), isClosed),
    async close() {
      closed = true
    },
  }
}

/** The same calls, which reject with `closed` once the store is closed, like those of a database. */
function guardClosed<Part extends Calls<Part>>(part: Part, isClosed: () => boolean): Part {
  return wrapCalls(part, (call) => async (...args) => {
    if (isClosed()) throw storeClosed()
    return call.apply(part, args)
  })
}
