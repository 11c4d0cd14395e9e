import { createClient, createCluster, type RedisClientOptions, type RedisClusterOptions } from 'redis'
import { systemEffects } from '../../core/effects.ts'
import type { Address, Target } from './target.ts'

/** What a command returns, in RESP2: numbers as such, everything else as text. */
export type RedisReply = string | number | null | readonly RedisReply[]

/** A connection to a server, or to the nodes of a cluster. It is used until it fails once, and then replaced. */
export interface Link {
  /** `key` chooses the node of a cluster. Rejects with `LinkLost` when the link fails before the reply. */
  send(key: string, args: readonly string[], deadline: number): Promise<RedisReply>
  subscribe(channels: readonly string[], onMessage: (message: string, channel: string) => void): Promise<void>
  /** Rejects what is pending. */
  destroy(cause: unknown): void
  readonly isLost: boolean
}

/** The link failed, or a reply did not arrive in time. It is unknown whether the command ran. */
export class LinkLost extends Error {}

export interface LinkDeps {
  readonly target: Target
  /** Limit of the connection set-up. */
  readonly timeoutMs: number
  /** Called once, when the link has failed. */
  onLost(): void
}

/** How often pending commands are compared with their deadlines. */
const WATCH_MS = 100

/** The operations that a single server and a cluster have in common. */
interface RawClient {
  send(key: string, args: string[]): Promise<unknown>
  subscribe(channels: string[], listener: (message: string, channel: string) => void): Promise<void>
  destroy(): void
}

export async function openLink(deps: LinkDeps): Promise<Link> {
  const { target, timeoutMs } = deps
  let link: ClientLink | undefined
  let failure: unknown
  const onError = (error: unknown): void => {
    failure ??= error
    link?.destroy(error)
  }
  const client = await connect(target, timeoutMs, onError)
  link = new ClientLink(client, deps)
  if (failure !== undefined) {
    link.destroy(failure)
    throw failure
  }
  return link
}

interface PendingCommand {
  readonly deadline: number
  reject(error: unknown): void
}

class ClientLink implements Link {
  readonly #client: RawClient
  readonly #onLost: () => void
  readonly #pending = new Set<PendingCommand>()
  #cancelTimer: (() => void) | undefined
  isLost = false

  constructor(client: RawClient, { onLost }: LinkDeps) {
    this.#client = client
    this.#onLost = onLost
  }

  send(key: string, args: readonly string[], deadline: number): Promise<RedisReply> {
    return new Promise((resolve, reject) => {
      if (this.isLost) throw new LinkLost('The connection is lost.')
      const pending: PendingCommand = { deadline, reject }
      this.#pending.add(pending)
      this.#cancelTimer ??= systemEffects.setTimer(this.#watch, WATCH_MS)
      this.#client.send(key, args as string[]).then(
        (reply) => {
          this.#pending.delete(pending)
          resolve(reply as RedisReply)
        },
        (error: unknown) => {
          this.#pending.delete(pending)
          reject(error)
        },
      )
    })
  }

  subscribe(channels: readonly string[], onMessage: (message: string, channel: string) => void): Promise<void> {
    return this.#client.subscribe([...channels], onMessage)
  }

  destroy(cause: unknown): void {
    if (this.isLost) return
    this.isLost = true
    this.#cancelTimer?.()
    // A reply that arrives later belongs to this client, which is closed: it cannot be taken for another's.
    this.#client.destroy()
    for (const { reject } of this.#pending) reject(new LinkLost('The connection is lost.', { cause }))
    this.#pending.clear()
    this.#onLost()
  }

  readonly #watch = (): void => {
    this.#cancelTimer = undefined
    const now = systemEffects.monotonic()
    const isLate = [...this.#pending].some(({ deadline }) => deadline <= now)
    if (isLate) this.destroy(new Error('The server did not answer in time.'))
    else if (this.#pending.size > 0) this.#cancelTimer = systemEffects.setTimer(this.#watch, WATCH_MS)
  }
}

/** Rejects in time, and leaves no client behind then. */
async function connect(target: Target, timeoutMs: number, onError: (error: unknown) => void): Promise<RawClient> {
  if (target.kind === 'cluster') return connectCluster(target, timeoutMs, onError)
  const address = target.kind === 'sentinel' ? await findPrimary(target, timeoutMs) : undefined
  const client = createClient(clientOptions(target.options, timeoutMs, address)).on('error', onError)
  const raw: RawClient = {
    send: (_key, args) => client.sendCommand(args),
    subscribe: (channels, listener) => client.subscribe(channels, listener),
    destroy: () => client.destroy(),
  }
  await within(timeoutMs, client.connect(), raw)
  if (target.kind === 'sentinel') {
    const [role] = await within(timeoutMs, client.sendCommand<[string]>(['ROLE']), raw)
    if (role !== 'master') {
      raw.destroy()
      throw new Error('The server is not the primary.')
    }
  }
  return raw
}

async function connectCluster(
  { nodes, options }: Extract<Target, { kind: 'cluster' }>,
  timeoutMs: number,
  onError: (error: unknown) => void,
): Promise<RawClient> {
  const defaults = clientOptions(options, timeoutMs)
  const { commandOptions, RESP, ...shared } = defaults
  const cluster = createCluster({
    rootNodes: nodes.map((node) => ({ ...shared, socket: { ...shared.socket, ...node } })),
    defaults: shared,
    minimizeConnections: true,
    commandOptions,
    RESP,
  } as RedisClusterOptions).on('error', onError)
  cluster.on('node-error', onError)
  const raw: RawClient = {
    send: (key, args) => cluster.sendCommand(key, false, args),
    subscribe: (channels, listener) => cluster.subscribe(channels, listener),
    destroy: () => cluster.destroy(),
  }
  await within(timeoutMs, cluster.connect(), raw)
  return raw
}

/** Asks the sentinels in order; the first one that knows the primary is believed. */
async function findPrimary(
  { name, nodes, sentinelOptions }: Extract<Target, { kind: 'sentinel' }>,
  timeoutMs: number,
): Promise<Address> {
  let cause: unknown
  for (const node of nodes) {
    const sentinel = createClient(clientOptions(sentinelOptions, timeoutMs, node)).on('error', () => undefined)
    try {
      await within(timeoutMs, sentinel.connect(), sentinel)
      const asked = sentinel.sendCommand<[string, string] | null>(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name])
      const address = await within(timeoutMs, asked, sentinel)
      if (address !== null) return { host: address[0], port: Number(address[1]) }
    } catch (error) {
      cause = error
    } finally {
      sentinel.destroy()
    }
  }
  throw new Error(`No sentinel knows the primary '${name}'.`, { cause })
}

function clientOptions(options: RedisClientOptions, timeoutMs: number, address?: Address): RedisClientOptions {
  return {
    ...options,
    RESP: 2,
    // Deadlines are watched here: an AbortSignal for every command costs more than the command.
    commandOptions: { timeout: 0 },
    // A client is replaced when it fails, so that nothing is sent again without its caller's knowledge.
    disableOfflineQueue: true,
    socket: { ...options.socket, ...address, connectTimeout: timeoutMs, reconnectStrategy: false },
  } as unknown as RedisClientOptions
}

/** Destroys the client when the promise is rejected or late. */
function within<Result>(timeoutMs: number, promise: Promise<Result>, client: { destroy(): void }): Promise<Result> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      cancel()
      client.destroy()
      reject(error)
    }
    const cancel = systemEffects.setTimer(() => fail(new Error('The server did not answer in time.')), timeoutMs)
    promise.then((result) => {
      cancel()
      resolve(result)
    }, fail)
  })
}
