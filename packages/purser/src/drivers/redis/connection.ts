import { endsWithin, sleep } from '../../core/abort.ts'
import { systemEffects } from '../../core/effects.ts'
import { PurserError, storeClosed } from '../../errors.ts'
import { isDemoted, isNotNow, isReply, isUnknownScript, toStoreError } from './errors.ts'
import { type Link, LinkLost, openLink, type RedisReply } from './link.ts'
import { ReplicaWaits } from './replica-waits.ts'
import type { Script } from './script.ts'
import type { ReplicaWait, Target } from './target.ts'

export interface ConnectionOptions {
  readonly target: Target
  /** Deadline of every call, with the wait for a connection and all retries. */
  readonly timeoutMs: number
  /** What `write` waits for. Default: the reply of the server. */
  readonly wait?: ReplicaWait | undefined
}

/** Arguments of a command. With `isRetry` an earlier attempt may have run. */
type Arguments = readonly string[] | ((isRetry: boolean) => readonly string[])

type Send<Reply> = (link: Link, args: readonly string[], deadline: number) => Promise<Reply>

const RETRY_MS = 20
const RECONNECT_MIN_MS = 50
const RECONNECT_MAX_MS = 500
/** A connection attempt takes this at most, so that several fit into the deadline of a call. */
const CONNECT_MAX_MS = 2_000
/** The format of the keys. */
const FORMAT = 1

/**
 * The connection of a store. Every call has a deadline and is repeated until then, so all operations are safe to repeat.
 * A connection that fails is replaced in the background until it succeeds. When that has lasted for the deadline of a
 * call, further calls are rejected at once until it succeeds.
 */
export class Connection {
  readonly location: string
  readonly #options: ConnectionOptions
  readonly #metaKey: string
  /** Runs after the connection is made, before the first command. Must not reject. */
  onReady: (link: Link) => Promise<void> = async () => undefined
  #link: Link | undefined
  readonly #waits = new WeakMap<Link, ReplicaWaits>()
  #connecting: Promise<void> | undefined
  /** Resolved when the current attempt to connect has ended. */
  #attempt = Promise.withResolvers<void>()
  #downSince: number | undefined
  #failure: unknown
  #running = 0
  #isClosed = false
  readonly #closing = new AbortController()
  #drained: PromiseWithResolvers<void> | undefined

  constructor(options: ConnectionOptions, metaKey: string) {
    this.#options = options
    this.#metaKey = metaKey
    this.location = options.target.location
  }

  /** Runs one command. `key` is its key, or one of them. */
  run<Reply extends RedisReply>(key: string, args: Arguments): Promise<Reply> {
    return this.#call(args, async (link, list, deadline) => (await link.send(key, list, deadline)) as Reply)
  }

  /** Runs a script. The server is sent its text when it does not know it, also after `SCRIPT FLUSH` or a fail-over. */
  eval<Reply extends RedisReply>(script: Script, keys: readonly string[], args: Arguments): Promise<Reply> {
    return this.#call(args, (link, list, deadline) => sendScript<Reply>(link, script, { keys, list, deadline }))
  }

  /** Like `eval`, for a script that writes. Resolves when as many replicas have it as `wait` demands. */
  write<Reply extends RedisReply>(script: Script, keys: readonly string[], args: Arguments): Promise<Reply> {
    return this.#call(args, async (link, list, deadline) => {
      const waits = this.#waits.get(link)
      let confirmed: Promise<void> | undefined
      const onSent = (): void => {
        confirmed = waits?.confirm(keys[0] ?? '')
        confirmed?.catch(() => undefined)
      }
      const reply = await sendScript<Reply>(link, script, { keys, list, deadline, onSent })
      await confirmed
      return reply
    })
  }

  /** A second connection to the same target, of which the caller is notified when it is lost. */
  openLink(onLost: () => void): Promise<Link> {
    const timeoutMs = this.#connectTimeoutMs()
    return openLink({ target: this.#options.target, timeoutMs, onLost })
  }

  /** Rejects new calls, waits for the running ones, then closes. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#running > 0) {
      this.#drained ??= Promise.withResolvers()
      await this.#drained.promise
    }
    this.#closing.abort()
    this.#link?.destroy(storeClosed())
  }

  async #call<Reply>(args: Arguments, send: Send<Reply>): Promise<Reply> {
    if (this.#isClosed) throw storeClosed()
    this.#running++
    try {
      return await this.#repeat(args, send, systemEffects.monotonic() + this.#options.timeoutMs)
    } finally {
      this.#running--
      if (this.#running === 0) this.#drained?.resolve()
    }
  }

  async #repeat<Reply>(args: Arguments, send: Send<Reply>, deadline: number): Promise<Reply> {
    for (let isRetry = false; ; ) {
      // What cannot be written is a fault of this call, not of the connection.
      const list = build(args, isRetry)
      const link = this.#link ?? (await this.#connected(deadline))
      try {
        return await send(link, list, deadline)
      } catch (error) {
        if (isLinkFault(error)) link.destroy(error)
        if (isFinal(error) || systemEffects.monotonic() >= deadline) throw toStoreError(error, this.location)
        this.#failure = error
        isRetry ||= !isReply(error)
        if (isReply(error)) await sleep(systemEffects, RETRY_MS)
      }
    }
  }

  /** Waits for the connection until the deadline. */
  async #connected(deadline: number): Promise<Link> {
    for (;;) {
      this.#connecting ??= this.#connectUntilDone()
      const now = systemEffects.monotonic()
      const isDown = this.#downSince !== undefined && now - this.#downSince >= this.#options.timeoutMs
      if (isDown || now >= deadline || isFinal(this.#failure))
        throw toStoreError(this.#failure ?? new LinkLost('The server cannot be reached.'), this.location)
      await endsWithin(systemEffects, this.#attempt.promise, deadline - now)
      if (this.#link !== undefined) return this.#link
    }
  }

  /** Tries until it succeeds or the store is closed. Never rejects. */
  async #connectUntilDone(): Promise<void> {
    this.#downSince ??= systemEffects.monotonic()
    for (let pauseMs = RECONNECT_MIN_MS; !this.#closing.signal.aborted; pauseMs *= 2) {
      const attempt = this.#attempt
      try {
        await this.#connect()
        this.#downSince = undefined
        this.#failure = undefined
        return
      } catch (error) {
        this.#failure = error
        this.#attempt = Promise.withResolvers()
        attempt.resolve()
        await sleep(systemEffects, Math.min(pauseMs, RECONNECT_MAX_MS), this.#closing.signal)
      } finally {
        if (this.#link !== undefined) {
          this.#connecting = undefined
          this.#attempt = Promise.withResolvers()
          attempt.resolve()
        }
      }
    }
  }

  async #connect(): Promise<void> {
    let link: Link | undefined
    link = await this.openLink(() => link && this.#onLost(link))
    try {
      await this.#prepare(link)
      if (link.isLost || this.#closing.signal.aborted) throw new LinkLost('The connection is lost.')
    } catch (error) {
      link.destroy(error)
      throw error
    }
    const { wait, timeoutMs } = this.#options
    if (wait !== undefined) this.#waits.set(link, new ReplicaWaits(link, wait, timeoutMs))
    this.#link = link
  }

  #onLost(link: Link): void {
    if (this.#link !== link) return
    this.#link = undefined
    if (!this.#isClosed || this.#running > 0) this.#connecting ??= this.#connectUntilDone()
  }

  /** Refuses keys in a newer format, then starts to listen. */
  async #prepare(link: Link): Promise<void> {
    const deadline = systemEffects.monotonic() + this.#connectTimeoutMs()
    await link.send(this.#metaKey, ['HSETNX', this.#metaKey, 'format', String(FORMAT)], deadline)
    const format = Number(await link.send(this.#metaKey, ['HGET', this.#metaKey, 'format'], deadline))
    if (format > FORMAT)
      throw new PurserError('store_newer', `The store has format ${format}; this version knows ${FORMAT}.`, {
        hint: 'Update Purser.',
      })
    await this.onReady(link)
  }

  #connectTimeoutMs(): number {
    return Math.min(CONNECT_MAX_MS, this.#options.timeoutMs)
  }
}

/** The server is sent the text of a script that it does not know. `onSent` is called after each attempt. */
async function sendScript<Reply extends RedisReply>(
  link: Link,
  script: Script,
  { keys, list, deadline, onSent = () => undefined }: ScriptCall,
): Promise<Reply> {
  const [key = ''] = keys
  const rest = [String(keys.length), ...keys, ...list]
  const send = async (head: readonly string[]): Promise<Reply> => {
    const reply = link.send(key, [...head, ...rest], deadline)
    onSent()
    return (await reply) as Reply
  }
  try {
    return await send(['EVALSHA', script.sha])
  } catch (error) {
    if (!isUnknownScript(error)) throw error
    return await send(['EVAL', script.lua])
  }
}

interface ScriptCall {
  readonly keys: readonly string[]
  readonly list: readonly string[]
  readonly deadline: number
  onSent?(): void
}

function build(args: Arguments, isRetry: boolean): readonly string[] {
  return typeof args === 'function' ? args(isRetry) : args
}

/** Another connection is needed. */
function isLinkFault(error: unknown): boolean {
  return isReply(error) ? isDemoted(error) : !PurserError.is(error)
}

/** Waiting does not help: the server refuses the connection, or its data. */
function isFinal(error: unknown): boolean {
  return PurserError.is(error) || (isReply(error) && !isNotNow(error))
}
