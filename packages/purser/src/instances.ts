import type { AnswerStats } from './answers/api.ts'
import type { Effects } from './core/effects.ts'
import type { Keyring } from './core/keyring.ts'
import type { ActiveRuntime } from './runtime/api.ts'
import type { InstanceStore } from './storage/instance-store.ts'
import type { StoreFinding } from './storage/store.ts'
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
  /** Compares the other instances with this one. Empty when there is no other. */
  inspect(): Promise<StoreFinding[]>
  /** Publishes nothing more, and removes what it has published. */
  close(): Promise<void>
}

export interface InstancesDeps {
  readonly store: InstanceStore
  readonly keys: Keyring
  readonly effects: Effects
  readonly namespace: string
  /** What all instances should have in common: digests by name. */
  readonly settings: InstanceSettings
  active(): ActiveRuntime[]
  stats(): AnswerStats
}

/** Digests of settings that every instance of a store must have the same. */
export interface InstanceSettings {
  readonly secretKey: string
  /** Of limits, plans, prices and what they depend on, in one namespace. */
  readonly limits: string
}

/** What an instance publishes. */
interface Report {
  readonly namespace: string
  readonly version: string
  readonly startedAt: string
  /** Absent in reports of earlier versions. */
  readonly settings?: InstanceSettings
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
      settings: deps.settings,
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
    inspect: async () => compareWithOthers(deps, await readOthers()),
    async close() {
      isClosed = true
      cancelTimer?.()
      await publishing?.catch(() => undefined)
      await store.remove(id).catch(() => undefined)
    },
  }
}

function compareWithOthers(
  { namespace, settings: { secretKey, limits } }: InstancesDeps,
  others: readonly { readonly report: Report }[],
): StoreFinding[] {
  if (others.length === 0) return []
  const reports = others.map(({ report }) => report)
  const ofNamespace = reports.filter((report) => report.namespace === namespace)
  return [
    findVersions(reports),
    findDifferent('secret key', reports, ({ settings }) => (settings?.secretKey ?? secretKey) !== secretKey),
    findDifferent('limits', ofNamespace, ({ settings }) => (settings?.limits ?? limits) !== limits),
  ]
}

function findVersions(others: readonly Report[]): StoreFinding {
  const versions = [...new Set(others.map(({ version }) => version))].toSorted()
  return {
    check: 'instance versions',
    ok: versions.every((version) => version === VERSION),
    detail: `${others.length} others run ${versions.join(', ')}; this is ${VERSION}`,
    hint: `Install the same version everywhere and restart the instances: npm install --global @purser/server@${VERSION}`,
  }
}

const SAME_SETTING = {
  'secret key': 'Set PURSER_SECRET_KEY to the same value on every machine, then restart the instances.',
  limits: 'Use one configuration on every machine, then restart the instances. To compare: purser config print --json',
} as const

function findDifferent(
  name: keyof typeof SAME_SETTING,
  others: readonly Report[],
  isDifferent: (other: Report) => boolean,
): StoreFinding {
  const count = others.filter(isDifferent).length
  return {
    check: `instance ${name}`,
    ok: count === 0,
    detail:
      count === 0 ? `the same as in ${others.length} others` : `another one in ${count} of ${others.length} others`,
    hint: SAME_SETTING[name],
  }
}

function open(keys: Keyring, { id, value }: { readonly id: string; readonly value: string }): Report | undefined {
  try {
    return JSON.parse(keys.open(value, ['instance', id])) as Report
  } catch {
    return undefined
  }
}
