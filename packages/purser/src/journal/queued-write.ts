import { PurserError } from '../errors.ts'
import type { Write } from './api.ts'
import type { UserData } from './event.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** A requested write, until its outcome is known. */
export interface QueuedWrite<Data extends UserData> {
  readonly write: Write<Data, unknown, unknown>
  /** Of the idempotency body; computed when the call is made, so that a body that is not JSON fails only that call. */
  readonly digest: string | undefined
  /** Set when the caller aborts: the write is not decided any more. */
  isAborted: boolean
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** Settles one write; called when its unit of work is committed. */
export type Completion = () => void

/** An error thrown by the decision rejects its own write; an error after the decision fails the whole unit of work. */
export function decide<Data extends UserData>(
  unit: UnitOfWork<Data>,
  { write, digest, resolve, reject }: QueuedWrite<Data>,
  replyTtlMs: number,
): Completion {
  let decision: ReturnType<typeof write.decide>
  try {
    if (write.incarnation !== undefined && (write.incarnation !== unit.incarnation || !unit.exists)) throw userErased()
    const stored = write.idempotency && unit.findReply(write.idempotency.key, digest)
    if (stored !== undefined) {
      const value: unknown = JSON.parse(stored)
      const result = write.replay ? write.replay(value, unit.view()) : value
      return () => {
        try {
          write.onReplay?.()
          resolve(result)
        } catch (error) {
          reject(error)
        }
      }
    }
    decision = write.decide(unit.view())
  } catch (error) {
    return () => reject(error)
  }
  const events = unit.apply(decision)
  const result = decision.result({ view: unit.view(), events })
  if (write.idempotency !== undefined && digest !== undefined && decision.remember !== false) {
    const stored = write.encodeResult ? write.encodeResult(result) : result
    const expiresAt = unit.now + replyTtlMs
    unit.addReply({ key: write.idempotency.key, digest, result: JSON.stringify(stored ?? null), expiresAt })
  }
  return () => resolve(result)
}

export function userErased(): PurserError {
  return new PurserError('user_erased', 'The user was erased during this call.', {
    hint: 'Nothing of this call was written. A new call creates a new incarnation of the user.',
  })
}
