import { createHash, hash } from 'node:crypto'
import { canonicalJson } from '../core/canonical-json.ts'
import { throwInvalid } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import { ROOT } from './root-key.ts'
import type { RowCursor, RowPage, RowStore, StoredRow } from './row-store.ts'
import { SlicedRows } from './sliced-rows.ts'
import type { MetaStore, Store } from './store.ts'

/*
 * Moves all rows of a store into an empty one. Each page is written and then recorded in the target, so that a copy that
 * was interrupted goes on behind the last page. The meta rows come last, the root key among them, and until both stores
 * were compared the target cannot be opened.
 */

export interface CopyReport {
  /** Number of rows by type: `user`, `record`, `reply`, `event`, `incarnation`, `meta`. */
  readonly rows: Readonly<Record<string, number>>
  /** Digest of all rows but the meta rows, whatever their order; equal in both stores. */
  readonly digest: string
}

export interface CopyProgress {
  readonly step: 'copy' | 'compare'
  /** Rows so far in this step. */
  readonly rows: number
}

export interface CopyRowsOptions {
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Name of the meta row of a target. */
const COPY = 'copy'
const DONE = 'done'

/** An unfinished copy as its target stores it. */
interface CopyState {
  /** Digest of the wrapped root key of the source. */
  readonly source: string
  /** The next page; null: all rows are written. */
  readonly after: RowCursor | null
  readonly rows: number
}

/** @throws {PurserError} `store_incomplete` for a store into which a copy has not ended */
export async function requireComplete(meta: MetaStore): Promise<void> {
  const stored = await meta.get(COPY)
  if (stored !== undefined && stored !== DONE)
    throw new PurserError('store_incomplete', 'A copy into this store has not ended.', {
      hint: 'Run the same copy again: it continues.',
    })
}

/**
 * @throws {PurserError} `argument_invalid` if a store has no copies, the source is empty, or the target is not empty;
 *   `store_incomplete` if the source was changed meanwhile; `store_unavailable`
 */
export async function copyRows(from: Store, to: Store, options: CopyRowsOptions = {}): Promise<CopyReport> {
  await requireComplete(from.meta)
  const [source, target] = [new SlicedRows(rowsOf(from)), new SlicedRows(rowsOf(to))]
  let text = await startCopy(from, to)
  let state = JSON.parse(text) as CopyState
  let reading = readAfter(source, state.after)
  while (state.after !== null) {
    options.signal?.throwIfAborted()
    const page = await reading
    const after = page.next ?? null
    // The next page is read while this one is written.
    reading = readAfter(source, after)
    await target.write(page.rows.filter((row) => row.type !== 'meta' || row.name !== COPY))
    state = { ...state, after, rows: state.rows + page.rows.length }
    text = await replaceState(to.meta, text, JSON.stringify(state))
    options.onProgress?.({ step: 'copy', rows: state.rows })
  }
  const report = await compare(source, target, options)
  await replaceState(to.meta, text, DONE)
  return report
}

/** The page behind a position; no rows behind the last page. An error is that of the one who waits for the page, if any. */
function readAfter(source: SlicedRows, after: RowCursor | null): Promise<RowPage> {
  const page =
    after === null ? Promise.resolve({ rows: [], next: undefined }) : source.read(after === '' ? undefined : after)
  page.catch(() => undefined)
  return page
}

/** The stored state of a copy from this source, which begins or continues. */
async function startCopy(from: Store, to: Store): Promise<string> {
  const root = await from.meta.get(ROOT)
  if (root === undefined) throwInvalid('The source store is empty.', { name: 'from', hint: 'Check its address.' })
  const source = createHash('sha256').update(root).digest('hex')
  const stored = await to.meta.get(COPY)
  if (stored === undefined) {
    if (!(await isEmpty(to))) throwNotEmpty()
    const first = JSON.stringify({ source, after: '', rows: 0 } satisfies CopyState)
    if (await to.meta.compareAndSet(COPY, undefined, first)) return first
    return startCopy(from, to)
  }
  if (stored === DONE || (JSON.parse(stored) as CopyState).source !== source) throwNotEmpty()
  return stored
}

async function isEmpty(store: Store): Promise<boolean> {
  if ((await store.meta.get(ROOT)) !== undefined) return false
  for await (const rows of pagesOf(new SlicedRows(rowsOf(store))))
    if (rows.some(({ type }) => type !== 'meta')) return false
  return true
}

/** The recorded state, after this process has replaced it; another process that copies as well changes it. */
async function replaceState(meta: MetaStore, expected: string, text: string): Promise<string> {
  if (await meta.compareAndSet(COPY, expected, text)) return text
  throw new PurserError('version_conflict', 'Another process copies into the same store.', {
    hint: 'Let the other process end.',
  })
}

async function compare(source: SlicedRows, target: SlicedRows, options: CopyRowsOptions): Promise<CopyReport> {
  let rows = 0
  const failing = new AbortController()
  const digestOf = async (store: SlicedRows): Promise<CopyReport> => {
    const sum = createRowSum()
    for await (const page of pagesOf(store)) {
      options.signal?.throwIfAborted()
      failing.signal.throwIfAborted()
      for (const row of page) sum.add(row)
      rows += page.length
      options.onProgress?.({ step: 'compare', rows })
    }
    return sum.report()
  }
  // The reads of one store go on while the rows of the other are handled.
  const digests = [digestOf(source), digestOf(target)] as const
  const [expected, found] = await Promise.all(digests).catch((error) => {
    failing.abort(error)
    throw error
  })
  if (expected.digest === found.digest) return found
  throw new PurserError('store_incomplete', 'The two stores differ: the source was changed during the copy.', {
    hint: 'Stop every process that uses the source, and copy into another, empty store.',
    details: { source: expected.rows, target: found.rows },
  })
}

async function* pagesOf(store: SlicedRows): AsyncGenerator<readonly StoredRow[]> {
  let reading = readAfter(store, '')
  for (;;) {
    const { rows, next } = await reading
    // The next page is read while this one is handled.
    reading = readAfter(store, next ?? null)
    yield rows
    if (next === undefined) return
  }
}

const SUM_BITS = 256

/** Sums up the hashes of rows, since drivers read them in different orders. */
function createRowSum(): { add(row: StoredRow): void; report(): CopyReport } {
  const counts: Record<string, number> = {}
  let sum = 0n
  return {
    add(row) {
      counts[row.type] = (counts[row.type] ?? 0) + 1
      if (row.type === 'meta') return
      sum = BigInt.asUintN(SUM_BITS, sum + BigInt(`0x${hash('sha256', canonicalJson(row), 'hex')}`))
    },
    report: () => ({ rows: counts, digest: sum.toString(16).padStart(64, '0') }),
  }
}

function rowsOf({ rows, traits }: Store): RowStore {
  if (rows !== undefined) return rows
  throwInvalid(`The driver '${traits.name}' cannot copy a store.`, { hint: 'Use export and import.' })
}

function throwNotEmpty(): never {
  throwInvalid('The target store is not empty.', {
    name: 'to',
    hint: 'Copy into a new store: another file, or another schema.',
  })
}
