import { afterCurrentTick, systemEffects } from '../../core/effects.ts'
import { PurserError } from '../../errors.ts'
import { isReply, isUnknownCommand } from './errors.ts'
import { type Link, LinkLost } from './link.ts'
import type { ReplicaWait } from './target.ts'

/** Of one node of a cluster, or one of its slots. */
interface Waits {
  /** For the writes that were sent since the last command. */
  next: PromiseWithResolvers<void> | undefined
}

/**
 * Sends `WAIT` or `WAITAOF` behind the writes of one link. The server runs nothing else of this link meanwhile, so all
 * writes that are sent while one is pending share the next.
 */
export class ReplicaWaits {
  readonly #link: Link
  readonly #wait: ReplicaWait
  /** How long the link may take besides the wait itself, ms. */
  readonly #graceMs: number
  readonly #waits = new Map<string, Waits>()

  constructor(link: Link, wait: ReplicaWait, graceMs: number) {
    this.#link = link
    this.#wait = wait
    this.#graceMs = graceMs
  }

  /**
   * Resolves when enough replicas have everything that was sent to the node of `key` before. Rejects with
   * `store_unavailable` when they do not in time, and with `LinkLost` when it is unknown.
   */
  confirm(key: string): Promise<void> {
    const tag = key.slice(0, key.indexOf('}') + 1)
    let waits = this.#waits.get(tag)
    if (waits === undefined) {
      waits = { next: undefined }
      this.#waits.set(tag, waits)
      afterCurrentTick(() => this.#run(tag, key))
    }
    waits.next ??= Promise.withResolvers()
    return waits.next.promise
  }

  async #run(tag: string, key: string): Promise<void> {
    for (const waits = this.#waits.get(tag); waits?.next !== undefined; ) {
      const { promise, resolve, reject } = waits.next
      waits.next = undefined
      // Those that wait for it handle it; there may be none left.
      promise.catch(() => undefined)
      await this.#send(key).then(resolve, reject)
    }
    this.#waits.delete(tag)
  }

  async #send(key: string): Promise<void> {
    const { replicas, fsync, timeoutMs } = this.#wait
    const args = fsync
      ? ['WAITAOF', '1', String(replicas), String(timeoutMs)]
      : ['WAIT', String(replicas), String(timeoutMs)]
    const deadline = systemEffects.monotonic() + timeoutMs + this.#graceMs
    const reply = await this.#link.send(key, args, deadline).catch((cause: unknown) => {
      if (isUnknownCommand(cause))
        throw new PurserError('store_unavailable', 'The server does not know WAITAOF.', {
          hint: 'WAITAOF needs Redis 7.2 or newer, or Valkey. Leave out waitFsync.',
        })
      // The writes have run, unlike this command.
      throw isReply(cause) ? new LinkLost('The server did not wait for its replicas.', { cause }) : cause
    })
    const [local, confirmed] = Array.isArray(reply) ? reply.map(Number) : [1, Number(reply)]
    if ((local ?? 0) >= 1 && (confirmed ?? 0) >= replicas) return
    throw new PurserError('store_unavailable', 'Too few replicas have confirmed the write in time.', {
      hint: `${confirmed} of ${replicas} did. The write may be lost in a fail-over. Send the request again under the same idempotency key.`,
    })
  }
}
