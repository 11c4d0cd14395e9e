import type { Keyring } from '../core/keyring.ts'
import { createEventLog, type EventLog } from '../event-log.ts'
import type { InstanceRuntime } from '../instances.ts'
import { registerErasures } from '../journal/erasures.ts'
import { LOG_OF_NAMESPACE } from '../storage/commit.ts'
import type { Bus, MetaStore, Store, StoreFinding } from '../storage/store.ts'
import type { Purser } from './api.ts'
import type { Modules } from './modules.ts'

/** A key rather than a member: the values are the installation's own, among them its wrapped root key. */
const META: unique symbol = Symbol.for('purser.meta')

/** Values of the installation rather than of a user, such as the API keys of a server. For `@purser/server`. */
export function getMeta(purser: Purser): MetaStore {
  return (purser as Purser & { readonly [META]: MetaStore })[META]
}

const RUNTIMES: unique symbol = Symbol.for('purser.runtimes')

/**
 * The live runtimes of all instances in this namespace: all of this one, of each other one the 500 that were used last, as
 * of its last heartbeat. For `@purser/server`.
 */
export function listRuntimes(purser: Purser): Promise<InstanceRuntime[]> {
  return (purser as Purser & { [RUNTIMES](): Promise<InstanceRuntime[]> })[RUNTIMES]()
}

const ACTIVITY: unique symbol = Symbol.for('purser.activity')

/**
 * Calls `listener` when data of a user has changed, in any instance: with the user's id, or undefined when it is not known
 * whose. Returns the function that ends it. For `@purser/server`.
 */
export function subscribeToActivity(purser: Purser, listener: (user: string | undefined) => void): () => void {
  type Subscribe = (listen: (user: string | undefined) => void) => () => void
  return (purser as Purser & { [ACTIVITY]: Subscribe })[ACTIVITY](listener)
}

const EVENT_LOG: unique symbol = Symbol.for('purser.event-log')

/** The event log by position. For `@purser/server`. */
export function getEventLog(purser: Purser): EventLog {
  return (purser as Purser & { readonly [EVENT_LOG]: EventLog })[EVENT_LOG]
}

const SEALER: unique symbol = Symbol.for('purser.sealer')

/** Encrypts what is stored and must stay secret, under a key derived from the secret key. */
export type Sealer = Pick<Keyring, 'seal' | 'open'>

/** Seals secrets of the installation. For `@purser/server`. */
export function getSealer(purser: Purser): Sealer {
  return (purser as Purser & { readonly [SEALER]: Sealer })[SEALER]
}

const INSPECT: unique symbol = Symbol.for('purser.inspect')

/** What the driver of a store finds about it. For `@purser/server`. */
export function inspectStore(purser: Purser): Promise<readonly StoreFinding[]> {
  return (purser as Purser & { [INSPECT](): Promise<readonly StoreFinding[]> })[INSPECT]()
}

/** What `@purser/server` reads besides, under keys that are no members. */
export function defineInternals(purser: Purser, { store, keys, journal, instances }: Modules): Purser {
  const { namespace } = purser
  registerErasures(purser, { namespace, bus: store.bus, journal })
  return Object.defineProperties(purser, {
    [META]: { value: store.meta },
    [EVENT_LOG]: { value: createEventLog(store, namespace) },
    [SEALER]: { value: keys },
    [RUNTIMES]: { value: instances.runtimes },
    [ACTIVITY]: { value: (listener: ActivityListener) => followActivity(store.bus, namespace, listener) },
    [INSPECT]: { value: async () => [...(await findStoreProblems(store)), ...(await instances.inspect())] },
  })
}

type ActivityListener = (user: string | undefined) => void

/** Every commit of a user is a message, in every instance. */
function followActivity(bus: Bus, namespace: string, listener: ActivityListener): () => void {
  return bus.subscribe((message) => {
    if (message === 'gap') listener(undefined)
    else if (message.topic !== 'user' || message.namespace !== namespace || ENDINGS.has(message.detail)) return
    else if (message.user !== LOG_OF_NAMESPACE) listener(message.user)
  })
}

/** Messages about a user that are no activity. */
const ENDINGS: ReadonlySet<string | undefined> = new Set(['erased', 'evicted'])

async function findStoreProblems({ inspect, warnings }: Store): Promise<readonly StoreFinding[]> {
  if (inspect !== undefined) return inspect()
  return ((await warnings?.()) ?? []).map((detail) => ({ check: 'store', ok: false, detail }))
}
