import type { Database } from '../database.ts'
import type { Writer } from '../worker/threads.ts'

/** Resolves when everything that was committed before the call is in the entries of turns and in the sums. */
export type WhenFolded = () => Promise<void>

/** The writer folds what waits, see `turn-fold.ts`; mostly nothing does. */
export function createWhenFolded({ main, writer }: { readonly main: Database; readonly writer: Writer }): WhenFolded {
  const waiting = main.prepare('SELECT folded < (SELECT coalesce(max(position), 0) FROM turns) AS some FROM turn_fold')
  return async () => {
    const isWaiting = await main.read(() => waiting.get()?.some === 1)
    if (isWaiting) await writer.call('foldTurns')
  }
}
