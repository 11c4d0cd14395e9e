import { type Subject, subjectKey } from '../core/subject.ts'
import { PurserError } from '../errors.ts'

/*
 * One lane for each user for whom somebody waits. What waits in a lane is taken in order: writes together, as many as
 * fit a commit; work that needs the user for itself, alone. Lanes do not wait for each other.
 */

export interface UserQueues<Item> {
  /** Throws `store_unavailable` when too many wait already. */
  push(user: Subject, item: Item): void
  /** Runs when all that was pushed before is through, and before all that comes later. */
  alone<Result>(user: Subject, work: () => Promise<Result>): Promise<Result>
  /** Resolves when every lane is empty. */
  idle(): Promise<void>
}

interface Lane<Item> {
  readonly user: Subject
  readonly waiting: (readonly [Item] | (() => Promise<void>))[]
  running: Promise<void>
}

export function createUserQueues<Item>(house: {
  /** Items taken together. */
  readonly maxBatch: number
  /** Items and works that may wait in one lane. */
  readonly maxWaiting: number
  /** Must not reject. */
  settle(user: Subject, batch: readonly Item[]): Promise<void>
}): UserQueues<Item> {
  const lanes = new Map<string, Lane<Item>>()

  async function run(key: string, lane: Lane<Item>): Promise<void> {
    while (lane.waiting.length > 0) {
      const batch = takeItems(lane)
      if (batch.length > 0) await house.settle(lane.user, batch)
      else await (lane.waiting.shift() as () => Promise<void>)()
    }
    lanes.delete(key)
  }

  function takeItems({ waiting }: Lane<Item>): Item[] {
    let end = 0
    while (end < waiting.length && end < house.maxBatch && typeof waiting[end] !== 'function') end++
    return waiting.splice(0, end).map((item) => (item as readonly [Item])[0])
  }

  function enter(user: Subject, entry: readonly [Item] | (() => Promise<void>)): void {
    const key = subjectKey(user)
    const lane = lanes.get(key)
    if (lane === undefined) {
      const opened: Lane<Item> = { user, waiting: [entry], running: Promise.resolve() }
      lanes.set(key, opened)
      // Begins a moment later, so that calls made together are decided together.
      opened.running = Promise.resolve().then(() => run(key, opened))
    } else if (lane.waiting.length < house.maxWaiting) {
      lane.waiting.push(entry)
    } else {
      throw new PurserError('store_unavailable', `${house.maxWaiting} calls for this user are already waiting.`)
    }
  }

  return {
    push: (user, item) => enter(user, [item]),
    alone: (user, work) => new Promise((resolve, reject) => enter(user, () => work().then(resolve, reject))),
    async idle() {
      while (lanes.size > 0) await Promise.all([...lanes.values()].map((lane) => lane.running))
    },
  }
}
