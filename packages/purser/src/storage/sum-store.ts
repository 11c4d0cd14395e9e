import type { Subject } from '../core/subject.ts'

/** The number of integers in a row of sums. */
export const SUM_AMOUNTS = 8

/** An integer from 0; beyond 2^53 - 1 its digits as text. Equal amounts have the same form. */
export type SumAmount = number | string

/** Adds to a row of sums. A row that does not exist begins at 0. Sums are exact below 10^17; above that they may not grow. */
export interface SumIncrement {
  /** `YYYY-MM-DD`. */
  readonly day: string
  /** Hours since 1970, UTC. Not implied by the day, which may be of another zone. */
  readonly hour: number
  readonly key: string
  /** `SUM_AMOUNTS` of them, each below 10^17. */
  readonly amounts: readonly SumAmount[]
}

export type SumRow = SumIncrement

export function toSumAmount(value: bigint): SumAmount {
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value.toString()
}

export function addAmounts(one: readonly SumAmount[], other: readonly SumAmount[]): readonly SumAmount[] {
  return one.map((amount, index) => {
    const added = other[index] ?? 0
    const sum = typeof amount === 'number' && typeof added === 'number' ? amount + added : Number.NaN
    return sum <= Number.MAX_SAFE_INTEGER ? sum : toSumAmount(BigInt(amount) + BigInt(added))
  })
}

export interface SumPage {
  readonly limit: number
  /** Days of at least this one, and below the other. */
  readonly from: string
  readonly to: string
  /** Only rows after this one. */
  readonly after?: Pick<SumRow, 'day' | 'hour' | 'key'> | undefined
}

/** The sum over rows of one user. */
export interface UserSum {
  readonly user: string
  readonly amounts: readonly SumAmount[]
}

/** Sums, which commits add to: of a namespace, and of each user. The order is by day, hour and key (bytes). */
export interface SumStore {
  ofUser(user: Subject, page: SumPage): Promise<readonly SumRow[]>
  ofNamespace(namespace: string, page: SumPage): Promise<readonly SumRow[]>
  /** The sums of all rows of each user with rows in these days, in the order of ids. `after`: the id of a user. */
  ofUsers(
    namespace: string,
    page: Omit<SumPage, 'after'> & { readonly after?: string | undefined },
  ): Promise<readonly UserSum[]>
  /** Removes at most `limit` rows of days below this one. Resolves to the number removed; 0: none is left. */
  sweep(namespace: string, below: string, limit: number): Promise<number>
}
