import type { Write } from '../journal/api.ts'
import type { IdempotencyOptions } from './api.ts'
import type { LedgerView } from './quota.ts'
import type { LedgerState, Measurements } from './state.ts'
import { refuse, text } from './validate-arguments.ts'

/** The options of calls that may be repeated under a key. */
export const IDEMPOTENCY_OPTIONS = ['idempotencyKey', 'onReplay', 'signal'] as const

type Repeating<Result> = Required<Pick<Write<LedgerState, Measurements, Result>, 'signal' | 'idempotency' | 'replay'>>

/** What a repeatable call is known by. A key is apart for every kind of call; `body` is what it must come with. */
export interface IdempotentCall<Result> {
  readonly call: string
  readonly body: unknown
  /** What the repeat is told; by default what the first was told. */
  readonly again?: (kept: Result, view: LedgerView) => Result
}

/** What a repeatable call adds to its write. */
export function idempotentWrite<Result>(
  given: IdempotencyOptions,
  { call, body, again = (kept) => kept }: IdempotentCall<Result>,
): Repeating<Result> {
  const { idempotencyKey: key, onReplay, signal } = given
  if (onReplay !== undefined && typeof onReplay !== 'function')
    refuse(
      'argument_invalid',
      'onReplay must be a function.',
      'It is called when the answer is an earlier one.',
      'onReplay',
    )
  return {
    signal,
    idempotency:
      key === undefined ? undefined : { key: `${call}:${text(key, { name: 'idempotencyKey', maxBytes: 256 })}`, body },
    replay(kept, view) {
      onReplay?.()
      return again(kept, view)
    },
  }
}
