import type { StatementSync } from 'node:sqlite'
import { afterCurrentTick, systemEffects } from '../../../core/effects.ts'
import { addAmounts, type SumIncrement } from '../../../storage/sum-store.ts'
import type { Database } from '../database.ts'
import { type FoldState, FoldStateRow, isFolded, isSameState } from './fold-state.ts'
import { decodeIncrements, type ScopedIncrement } from './packed-recorded.ts'
import { prepareAddSums } from './sums.ts'
import { prepareTurnRows, type TurnRows } from './turn-rows.ts'

/*
 * Commits only append turns. What that leaves out, the entries by user and by id, sums, and removing the turns above a
 * user's limit, is added later for many turns at a time: when thousands wait, after a while, and before everything that
 * reads, counts or removes turns or sums. So what belongs to one user is written once for many turns.
 *
 * A fold is made of slices, so that no commit waits long: of entries by id in the order of positions, which is nearly that
 * of ids, then of everything else in the order of users. The row of `turn_fold` says how far it
 * has come, and is written with each slice: after a crash it continues there, in whatever process. Whatever folds or
 * removes turns counts its version up, and any other fold reads again what waits.
 */

export interface FoldLimits {
  /** Turns of this process that may wait. */
  readonly maxWaiting: number
  /** How long a turn may wait, ms. */
  readonly maxWaitMs: number
  /** Turns in one transaction; also how many it removes at least before it ends early. */
  readonly sliceTurns: number
}

export const FOLD_LIMITS: FoldLimits = { maxWaiting: 8_192, maxWaitMs: 30_000, sliceTurns: 512 }

/** Turns that are read at once. */
const PAGE_TURNS = 2_048
/** Turns of one fold, which are in memory. More wait only when processes have ended before they have folded. */
const MAX_FOLD_TURNS = 65_536

/** A row as a list, which takes half as long to read. */
type WaitingTurn = readonly [position: number, uid: number, namespace: string, sums: string | null, keep: number | null]

interface Slice {
  /** Everything that the fold writes. */
  readonly waiting: readonly WaitingTurn[]
  /** The index of the first turn. */
  readonly begin: number
  readonly expected: FoldState
  /** The last position of the fold. */
  readonly end: number
}

interface WrittenSlice {
  readonly state: FoldState
  /** The index behind the last turn. */
  readonly end: number
}

const COLUMNS = 'position, uid, namespace, sums, keep'

export class TurnFold {
  readonly #main: Database
  readonly #limits: FoldLimits
  readonly #state: FoldStateRow
  readonly #turns: TurnRows
  readonly #addSums: ReturnType<typeof prepareAddSums>
  readonly #page: StatementSync
  readonly #ofUser: StatementSync
  readonly #clear: StatementSync
  #appended = 0
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  #isClosed = false

  constructor(main: Database, limits: FoldLimits = FOLD_LIMITS) {
    this.#main = main
    this.#limits = limits
    this.#state = new FoldStateRow(main)
    this.#turns = prepareTurnRows(main)
    this.#addSums = prepareAddSums(main)
    this.#page = main.prepare(
      `SELECT ${COLUMNS} FROM turns WHERE position > ? AND position <= ? ORDER BY position LIMIT ${PAGE_TURNS}`,
    )
    this.#ofUser = main.prepare(`SELECT ${COLUMNS} FROM turns WHERE position > ? AND uid = ? ORDER BY position`)
    this.#page.setReturnArrays(true)
    this.#ofUser.setReturnArrays(true)
    this.#clear = main.prepare('UPDATE turns SET sums = NULL, keep = NULL WHERE position = ?')
  }

  /** Counts turns that were appended, and folds when enough of them wait or have waited long enough. */
  noteAppended(turns: number): void {
    this.#appended += turns
    if (this.#appended >= this.#limits.maxWaiting) this.#foldInBackground()
    else
      this.#cancelTimer ??= systemEffects.setTimer(() => this.#foldInBackground(), this.#limits.maxWaitMs, {
        background: true,
      })
  }

  /** Folds everything that waits now. */
  fold(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.#foldAll()
      })
    this.#running = this.#next
    return this.#next
  }

  /** Folds the turns of one user, in the transaction of the caller. */
  foldUser(uid: number): void {
    const state = this.#state.read()
    const waiting = (this.#ofUser.all(state.folded, uid) as unknown as WaitingTurn[]).filter(
      (turn) => !isFolded(state, turn),
    )
    if (waiting.length === 0) return
    for (const [position] of waiting) this.#turns.listById(position - 1, position)
    this.#write(waiting)
    for (const [position] of waiting) this.#clear.run(position)
    this.#state.countUp()
  }

  /** Removes the turns of a user above this number, the oldest first, in the transaction of the caller. */
  trim(uid: number, keep: number): void {
    this.foldUser(uid)
    if (this.#turns.trim(uid, keep) > 0) this.#state.countUp()
  }

  /** To be called in every transaction that removes turns. */
  noteRemoved(): void {
    this.#state.countUp()
  }

  /** Starts no other slice; resolves when none is running. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTimer?.()
    await this.#running.catch(() => undefined)
  }

  #foldInBackground(): void {
    // What is not folded now waits for the next time.
    void this.fold().catch(() => undefined)
  }

  async #foldAll(): Promise<void> {
    this.#appended = 0
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const last = this.#state.lastPosition()
    while (!this.#isClosed) {
      const state = this.#state.read()
      const isBegun = state.upto > state.folded
      const end = isBegun ? state.upto : Math.min(last, this.#state.lastPosition(), state.folded + MAX_FOLD_TURNS)
      if (end <= state.folded) return
      if (state.listed < end) await this.#main.write(() => this.#listSlice(state, end))
      else await this.#foldUpto(state, end)
    }
  }

  /** Ends early when another connection, or an erasure, has changed what waits. */
  async #foldUpto(begin: FoldState, end: number): Promise<void> {
    const waiting = await this.#readWaiting(begin, end)
    let state: FoldState | undefined = begin
    let done = 0
    do {
      if (this.#isClosed) return
      const slice: Slice = { waiting, begin: done, expected: state, end }
      const written: WrittenSlice | undefined = await this.#main.write(() => this.#writeSlice(slice))
      state = written?.state
      done = written?.end ?? 0
    } while (state !== undefined && done < waiting.length)
  }

  /** Adds entries by id, unless the state is no longer the expected one. */
  #listSlice(expected: FoldState, end: number): void {
    if (!isSameState(this.#state.read(), expected)) return
    const listed = Math.min(end, expected.listed + this.#limits.sliceTurns)
    this.#turns.listById(expected.listed, listed)
    this.#state.write({ ...expected, listed })
  }

  /** What waits, in the order of users. */
  async #readWaiting(state: FoldState, end: number): Promise<WaitingTurn[]> {
    const waiting: WaitingTurn[] = []
    for (let after = state.folded; ; ) {
      const page = this.#page.all(after, end) as unknown as WaitingTurn[]
      for (const turn of page) if (!isFolded(state, turn)) waiting.push(turn)
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE_TURNS) break
      after = last[0]
      await new Promise<void>((resolve) => afterCurrentTick(resolve))
    }
    return waiting.sort((one, other) => one[1] - other[1] || one[0] - other[0])
  }

  /** Undefined when the state is no longer the expected one; nothing was written then. */
  #writeSlice({ waiting, begin, expected, end }: Slice): WrittenSlice | undefined {
    if (!isSameState(this.#state.read(), expected)) return undefined
    const { sliceTurns } = this.#limits
    const done = begin + this.#write(waiting.slice(begin, begin + sliceTurns), sliceTurns)
    const next = waiting[done]
    const { listed, folded, version } = expected
    // The end of a fold that has begun is lower when the last turns were removed: others have their positions then.
    const upto = expected.upto > folded ? expected.upto : end
    const state = this.#state.write(
      next === undefined
        ? { listed, folded: upto, upto, nextUid: 0, nextPosition: 0, version }
        : { listed, folded, upto, nextUid: next[1], nextPosition: next[0], version },
    )
    return { state, end: done }
  }

  /**
   * Writes turns, those of each user in the order of their commits, as limits apply to what is stored by then. Ends early
   * when it has removed many. Returns the number of turns that are written.
   */
  #write(turns: readonly WaitingTurn[], maxRemoved: number = Number.POSITIVE_INFINITY): number {
    const added: SlicedSums = { ofUsers: new SumBatch(), ofNamespaces: new SumBatch() }
    let unlisted: number[] = []
    let written = 0
    let removed = 0
    for (const turn of turns) {
      const [position, uid, , sums, keep] = turn
      written++
      unlisted.push(position)
      if (sums !== null) addIncrements(turn, decodeIncrements(sums), added)
      if (keep === null) continue
      this.#turns.listByUser(unlisted)
      unlisted = []
      removed += this.#turns.trim(uid, keep)
      if (removed >= maxRemoved) break
    }
    this.#turns.listByUser(unlisted)
    for (const [uid, increment] of added.ofUsers.rows()) this.#addSums.ofUser(uid, increment)
    for (const [namespace, increment] of added.ofNamespaces.rows()) this.#addSums.ofNamespace(namespace, increment)
    return written
  }
}

/** What the turns of one slice add. */
interface SlicedSums {
  readonly ofUsers: SumBatch<number>
  readonly ofNamespaces: SumBatch<string>
}

function addIncrements(
  [, uid, namespace]: WaitingTurn,
  increments: readonly ScopedIncrement[],
  { ofUsers, ofNamespaces }: SlicedSums,
): void {
  for (const increment of increments) {
    if (increment.isOfUser) ofUsers.add(uid, increment)
    if (increment.isOfNamespace) ofNamespaces.add(namespace, increment)
  }
}

/** Increments of several turns, added up by row. */
class SumBatch<Owner extends number | string> {
  readonly #rows = new Map<string, [owner: Owner, increment: SumIncrement]>()

  add(owner: Owner, { day, hour, key, amounts }: SumIncrement): void {
    const name = `${owner} ${day} ${hour} ${key}`
    const row = this.#rows.get(name)
    if (row === undefined) this.#rows.set(name, [owner, { day, hour, key, amounts }])
    else row[1] = { day, hour, key, amounts: addAmounts(row[1].amounts, amounts) }
  }

  rows(): Iterable<readonly [owner: Owner, increment: SumIncrement]> {
    return this.#rows.values()
  }
}
