import type { Subject } from '../core/subject.ts'

/** The record of one turn. */
export interface StoredTurn {
  /** Rises with the instant at which the turn began. Without spaces. */
  readonly id: string
  readonly outcome: string
  readonly value: string
}

/** The record of one turn in a list of all users. */
export interface ListedTurn extends StoredTurn {
  readonly user: string
}

export interface TurnPage {
  readonly limit: number
  readonly order: 'ascending' | 'descending'
  /** Only ids after this one, in the order of the page. It need not be stored. */
  readonly after?: string | undefined
  /** Only ids of at least this one. */
  readonly from?: string | undefined
  readonly outcome?: string | undefined
}

/** Records of turns, which commits write. Those of erased users are not returned. */
export interface TurnStore {
  ofUser(user: Subject, page: TurnPage): Promise<readonly StoredTurn[]>
  ofNamespace(namespace: string, page: TurnPage): Promise<readonly ListedTurn[]>
  /** Removes at most `limit` records with an id below this one. Resolves to the number removed. */
  sweep(namespace: string, below: string, limit: number): Promise<number>
}
