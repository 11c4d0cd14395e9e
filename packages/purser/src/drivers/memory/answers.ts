import { createAnswerMac } from '../../storage/answer-mac.ts'
import type { AnswerLimits, AnswerRow, AnswerStore } from '../../storage/answer-store.ts'
import { createExpiryHeap, type ExpiryHeap } from './expiry-heap.ts'

interface Entry extends AnswerRow {
  readonly owner: string
  isUsed: boolean
}

/** Answers in the memory of this process. Forgotten rows are deleted by the call itself, so no row is ever dead. */
export function createMemoryAnswers(): AnswerStore {
  const namespaces = new Map<string, NamespaceAnswers>()
  const open = (namespace: string): NamespaceAnswers => {
    let answers = namespaces.get(namespace)
    if (answers === undefined) {
      answers = new NamespaceAnswers()
      namespaces.set(namespace, answers)
    }
    return answers
  }
  return {
    file: null,
    generation({ namespace, owner }) {
      return open(namespace).generation(owner)
    },
    async get({ namespace, owner }, key) {
      const entry = open(namespace).get(key)
      return entry?.owner === owner ? entry : undefined
    },
    async page({ namespace, owner }, { after, limit }) {
      const answers = open(namespace)
      const keys = answers.keys(owner).filter((key) => key > after)
      return keys
        .sort()
        .slice(0, limit)
        .flatMap((key) => answers.get(key) ?? [])
    },
    async put({ namespace, rows, limits, macKey }) {
      const answers = open(namespace)
      const mac = createAnswerMac(macKey)
      const refused: number[] = []
      for (const [index, row] of rows.entries()) {
        if (row.generation !== answers.generation(row.owner)) refused.push(index)
        else answers.insert({ ...row, mac: mac(namespace, row), isUsed: false })
      }
      return { refused, evicted: answers.evict(limits) }
    },
    async touch(namespace, uses) {
      const answers = open(namespace)
      for (const { key } of uses) answers.touch(key)
    },
    async remove({ namespace }, key) {
      open(namespace).remove(key)
    },
    async forget({ namespace, owner }) {
      return open(namespace).forget(owner)
    },
    async clear(namespace) {
      return open(namespace).clear()
    },
    async sweep(namespace, { now, limit }) {
      return open(namespace).removeExpired(now, limit)
    },
    totals(namespace, now) {
      return open(namespace).totals(now)
    },
  }
}

/** The answers of one namespace. */
class NamespaceAnswers {
  /** In the order of eviction: the oldest first. A used entry is moved to the end when its turn comes. */
  #entries = new Map<string, Entry>()
  #owners = new Map<string, { generation: number; readonly keys: Set<string> }>()
  /** Walks `#entries` from the oldest one. What it has passed was removed or moved to the end. */
  #oldest = this.#entries.values()
  #expiry = this.#createExpiry()
  /** The latest generation handed out. */
  #latest = 0
  /** The generation of owners without one of their own: that of the last `clear`. */
  #cleared = 0
  #bytes = 0

  generation(owner: string): number {
    return this.#owners.get(owner)?.generation ?? this.#cleared
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  keys(owner: string): string[] {
    return [...(this.#owners.get(owner)?.keys ?? [])]
  }

  insert(entry: Entry): void {
    const { owner, key } = entry
    this.remove(key)
    this.#entries.set(key, entry)
    this.#bytes += entry.bytes
    this.#expiry.add(entry)
    const scope = this.#owners.get(owner)
    if (scope === undefined) this.#owners.set(owner, { generation: this.#cleared, keys: new Set([key]) })
    else scope.keys.add(key)
  }

  remove(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
    const scope = this.#owners.get(entry.owner)
    scope?.keys.delete(key)
    if (scope?.keys.size === 0 && scope.generation === this.#cleared) this.#owners.delete(entry.owner)
  }

  removeExpired(now: number, limit: number): number {
    let removed = 0
    while (removed < limit) {
      const entry = this.#expiry.next(now)
      if (entry === undefined) break
      this.remove(entry.key)
      removed++
    }
    return removed
  }

  touch(key: string): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.isUsed = true
  }

  evict(limits: AnswerLimits): string[] {
    if (this.#isOver(limits)) this.removeExpired(limits.now, Number.POSITIVE_INFINITY)
    const evicted: string[] = []
    while (this.#isOver(limits)) {
      const oldest = this.#nextOldest()
      if (oldest === undefined) break
      if (oldest.isUsed) this.#moveToEnd(oldest)
      else {
        this.remove(oldest.key)
        evicted.push(oldest.key)
      }
    }
    return evicted
  }

  forget(owner: string): number {
    const keys = this.keys(owner)
    for (const key of keys) this.remove(key)
    this.#owners.set(owner, { generation: ++this.#latest, keys: new Set() })
    return keys.length
  }

  clear(): number {
    const { size } = this.#entries
    this.#latest++
    this.#cleared = this.#latest
    this.#entries = new Map()
    this.#owners = new Map()
    this.#oldest = this.#entries.values()
    this.#expiry = this.#createExpiry()
    this.#bytes = 0
    return size
  }

  totals(now: number): ReturnType<AnswerStore['totals']> {
    return { entries: this.#entries.size, bytes: this.#bytes, expired: this.#expiry.count(now) }
  }

  #isOver({ maxEntries, maxBytes }: AnswerLimits): boolean {
    return this.#entries.size > maxEntries || this.#bytes > maxBytes
  }

  #moveToEnd(entry: Entry): void {
    entry.isUsed = false
    this.#entries.delete(entry.key)
    this.#entries.set(entry.key, entry)
  }

  #nextOldest(): Entry | undefined {
    let step = this.#oldest.next()
    if (step.done) {
      this.#oldest = this.#entries.values()
      step = this.#oldest.next()
    }
    return step.done ? undefined : step.value
  }

  #createExpiry(): ExpiryHeap<Entry> {
    return createExpiryHeap<Entry>({
      isCurrent: (entry) => this.#entries.get(entry.key) === entry,
      live: () => this.#entries.size,
    })
  }
}
