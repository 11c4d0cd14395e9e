import { type Subject, subjectKey } from '../core/subject.ts'
import { PurserError } from '../errors.ts'

/*
 * One queue per user with pending work. A queue is processed in order: items in batches, as many as fit a commit, and
 * exclusive tasks one at a time. Queues of different users run independently.
 */

export interface UserQueues<Item> {
  /** Throws `store_unavailable` when the user's queue is full. */
  push(user: Subject, item: Item): void
  /** Runs `task` after everything queued before it and before everything queued later. */
  runExclusive<Result>(user: Subject, task: () => Promise<Result>): Promise<Result>
  /** Resolves when every queue is empty. */
  idle(): Promise<void>
}

type ExclusiveTask = () => Promise<void>
/** Items are wrapped, so that an item that is a function is not taken for a task. */
type Entry<Item> = readonly [Item] | ExclusiveTask

interface UserQueue<Item> {
  readonly user: Subject
  readonly entries: Entry<Item>[]
  running: Promise<void>
}

export function createUserQueues<Item>(deps: {
  /** Items processed together. */
  readonly maxBatch: number
  /** Entries in one queue. */
  readonly maxQueued: number
  /** Must not reject. */
  process(user: Subject, batch: readonly Item[]): Promise<void>
}): UserQueues<Item> {
  const queues = new Map<string, UserQueue<Item>>()

  async function run(key: string, { user, entries }: UserQueue<Item>): Promise<void> {
    while (entries.length > 0) {
      const batch = takeItems(entries)
      if (batch.length > 0) await deps.process(user, batch)
      else await (entries.shift() as ExclusiveTask)()
    }
    queues.delete(key)
  }

  /** Removes the items at the front, up to the next task. */
  function takeItems(entries: Entry<Item>[]): Item[] {
    let end = 0
    while (end < entries.length && end < deps.maxBatch && typeof entries[end] !== 'function') end++
    return entries.splice(0, end).map((entry) => (entry as readonly [Item])[0])
  }

  function enqueue(user: Subject, entry: Entry<Item>): void {
    const key = subjectKey(user)
    const queue = queues.get(key)
    if (queue === undefined) {
      const created: UserQueue<Item> = { user, entries: [entry], running: Promise.resolve() }
      queues.set(key, created)
      // Starts in a microtask, so that calls made together are decided together.
      created.running = Promise.resolve().then(() => run(key, created))
    } else if (queue.entries.length < deps.maxQueued) {
      queue.entries.push(entry)
    } else {
      throw new PurserError('store_unavailable', `The write queue of this user is full (${deps.maxQueued} calls).`)
    }
  }

  return {
    push: (user, item) => enqueue(user, [item]),
    runExclusive: (user, task) => new Promise((resolve, reject) => enqueue(user, () => task().then(resolve, reject))),
    async idle() {
      while (queues.size > 0) await Promise.all([...queues.values()].map((queue) => queue.running))
    },
  }
}
