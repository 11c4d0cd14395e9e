import type { AnswerStats } from './answers/api.ts'
import type { Effects } from './core/effects.ts'
import type { Keyring } from './core/keyring.ts'
import type { ActiveRuntime } from './runtime/api.ts'
import type { InstanceStore } from './storage/instance-store.ts'
import { VERSION } from './version.ts'

/*
 * Every open Purser is an instance. It publishes what it is and what it runs in the store, some seconds apart, and reads
 * what the others have published. The published text is sealed, because it names users, and so that another namespace's
 * users are unreadable in the store.
 */

/** One open Purser on a store, as of its last heartbeat. */
export interface Instance {
  /** Random; new at every start. */
  readonly id: string
  /** Of the package `purser`. */
  readonly version: string
  /** ISO 8601. */
  readonly startedAt: string
  /** Its last heartbeat, ISO 8601. */
  readonly seenAt: string
  /** Number of live runtimes. */
  readonly runtimes: number
  /** Statistics of its answers, as of `purser.answers.stats()`. */
  readonly answers: AnswerStats
}

/** A live runtime and the instance that it is in. */
export interface InstanceRuntime extends ActiveRuntime {
  readonly instance: string
}

export interface Instances {
  /** Publishes this instance from now on. Resolves when the others can see it; a failing store is tried again later. */
  start(): Promise<void>
  /** All instances on the store, this one included, in the order of their ids. */
  list(): Promise<Instance[]>
  /** The live runtimes of the namespace in all instances. */
  runtimes(): Promise<InstanceRuntime[]>
  /** Publishes nothing more, and removes what it has published. */
  close(): Promise<void>
}

export interface InstancesDeps {
  readonly store: InstanceStore
  readonly keys: Keyring
  readonly effects: Effects
  readonly namespace: string
  active(): ActiveRuntime[]
  stats(): AnswerStats
}

/** What an instance publishes. */
interface Report {
  readonly namespace: string
  readonly version: string
  readonly startedAt: string
  /** Number of live runtimes. */
  readonly runtimes: number
  readonly answers: AnswerStats
  /** The runtimes that were used last. */
  readonly active: readonly ActiveRuntime[]
}

const HEARTBEAT_MS = 5_000
/** An instance that has published nothing for this long is not running any more. */
const DEAD_AFTER_MS = 15_000
const MAX_INSTANCES = 1_000
/** Runtimes that an instance publishes at most, so that a heartbeat stays small. */
const MAX_PUBLISHED_RUNTIMES = 500

export function createInstances(deps: InstancesDeps): Instances {
  const { store, keys, effects, namespace } = deps
  const id = effects.randomId()
  const startedAt = new Date(effects.now()).toISOString()
  let cancelTimer: (() => void) | undefined
  let publishing: Promise<void> | undefined
  let isClosed = false

  function report(): Report {
    const active = deps.active()
    return {
      namespace,
      version: VERSION,
      startedAt,
      runtimes: active.length,
      answers: deps.stats(),
      active: active.toSorted((left, right) => left.idleMs - right.idleMs).slice(0, MAX_PUBLISHED_RUNTIMES),
    }
  }

  /** One at a time, so that no older report is written after a newer one. */
  function publish(): Promise<void> {
    publishing ??= publishReport().finally(() => {
      publishing = undefined
    })
    return publishing
  }

  async function publishReport(): Promise<void> {
    await store.publish({ id, value: keys.seal(JSON.stringify(report()), ['instance', id]) }, DEAD_AFTER_MS)
  }

  async function beat(): Promise<void> {
    // Others see an instance that cannot reach the store as dead; its next heartbeat shows it again.
    await publish().catch(() => undefined)
    if (!isClosed) cancelTimer = effects.setTimer(() => void beat(), HEARTBEAT_MS, { background: true })
  }

  /** The reports of other instances. One that another root key has sealed is none of this store's. */
  async function readOthers(): Promise<{ id: string; seenAt: string; report: Report }[]> {
    const rows = await store.list({ maxAgeMs: DEAD_AFTER_MS, limit: MAX_INSTANCES })
    return rows
      .filter((row) => row.id !== id)
      .flatMap((row) => {
        const read = open(keys, row)
        return read === undefined
          ? []
          : [{ id: row.id, seenAt: new Date(effects.now() - row.ageMs).toISOString(), report: read }]
      })
  }

  return {
    start: beat,
    async list() {
      const own = { id, seenAt: new Date(effects.now()).toISOString(), report: report() }
      return [...(await readOthers()), own]
        .map(({ id: instance, seenAt, report: { version, startedAt: at, runtimes, answers } }) => ({
          id: instance,
          version,
          startedAt: at,
          seenAt,
          runtimes,
          answers,
        }))
        .toSorted((left, right) => (left.id < right.id ? -1 : 1))
    },
    async runtimes() {
      const own = deps.active().map((runtime) => ({ instance: id, ...runtime }))
      const others = (await readOthers())
        .filter((other) => other.report.namespace === namespace)
        .flatMap((other) => other.report.active.map((runtime) => ({ instance: other.id, ...runtime })))
      return [...own, ...others]
    },
    async close() {
      isClosed = true
      cancelTimer?.()
      await publishing?.catch(() => undefined)
      await store.remove(id).catch(() => undefined)
    },
  }
}

function open(keys: Keyring, { id, value }: { readonly id: string; readonly value: string }): Report | undefined {
  try {
    return JSON.parse(keys.open(value, ['instance', id])) as Report
  } catch {
    return undefined
  }
}
