import type { Load } from './load.ts'

export interface BulkheadLimits {
  readonly maxConcurrentLoads: number
  readonly maxAbandonedLoads: number
  readonly maxQueuedLoads: number
  readonly maxLoadsPerUser: number
}

/**
 * The slots of one source: a limited number of loads run, a limited number wait in a queue. JavaScript cannot stop a
 * function that ignores its signal, so an abandoned load leaves its slot but still counts until it ends; there is a
 * limit for these as well, and one for the loads of a single user.
 */
export class Bulkhead<Data> {
  readonly #limits: BulkheadLimits
  readonly #queued = new Set<Load<Data>>()
  /** Running and abandoned. */
  readonly #unfinished = new Set<Load<Data>>()
  #running = 0

  constructor(limits: BulkheadLimits) {
    this.#limits = limits
  }

  get counts(): { running: number; abandoned: number; queued: number } {
    return { running: this.#running, abandoned: this.#unfinished.size - this.#running, queued: this.#queued.size }
  }

  /** In the order in which they were requested. */
  get queued(): ReadonlySet<Load<Data>> {
    return this.#queued
  }

  /** Running and abandoned loads, oldest first. */
  get unfinished(): ReadonlySet<Load<Data>> {
    return this.#unfinished
  }

  get isFull(): boolean {
    return this.#running >= this.#limits.maxConcurrentLoads
  }

  get isQueueFull(): boolean {
    return this.#queued.size >= this.#limits.maxQueuedLoads
  }

  /** No further load can be abandoned. */
  get isAbandonedFull(): boolean {
    return this.#unfinished.size - this.#running >= this.#limits.maxAbandonedLoads
  }

  /** Whether a load of this user could start now. */
  hasSlot(userId: string): boolean {
    if (this.isFull) return false
    let loadsOfUser = 0
    for (const load of this.#unfinished) if (load.user.id === userId) loadsOfUser += 1
    return loadsOfUser < this.#limits.maxLoadsPerUser
  }

  enqueue(load: Load<Data>): void {
    load.state = 'queued'
    this.#queued.add(load)
  }

  start(load: Load<Data>): void {
    this.#queued.delete(load)
    load.state = 'running'
    this.#running += 1
    this.#unfinished.add(load)
  }

  /** Frees the slot of a running load. */
  abandon(load: Load<Data>): void {
    this.#running -= 1
    load.state = 'abandoned'
  }

  end(load: Load<Data>): void {
    if (load.state === 'running') this.#running -= 1
    load.state = 'ended'
    this.#queued.delete(load)
    this.#unfinished.delete(load)
  }
}
