import type { PoolClient } from 'pg'
import { systemEffects } from '../../core/effects.ts'
import type { Subject } from '../../core/subject.ts'
import type { Commit, Erasure } from '../../storage/commit.ts'
import type { Connection } from './connection.ts'
import { toStoreError } from './errors.ts'
import { commitOf } from './rows.ts'
import { encodeJson } from './text.ts'

/** How long a lock may be held before it is released. */
const MAX_LOCK_MS = 250
/** How long a process that holds it may do nothing. */
const MAX_IDLE_MS = 1_000

/** Counts of an erasure as `erase_user` returns them; null: it was decided on another state. */
export interface ErasedRows {
  readonly user: number
  readonly events: number
  readonly turns: number
  readonly usage: number
  readonly records: Readonly<Record<string, number>> | null
}

/** A transaction in which no other process writes to the users. Its write ends it. */
export interface LockedWrites {
  commit(user: Subject, commit: Commit): Promise<boolean>
  erase(user: Subject, erasure: Erasure): Promise<ErasedRows | null>
  release(): Promise<void>
}

/** Waits for the writes of others; they wait until the lock is released. */
export async function lockWrites(connection: Connection): Promise<LockedWrites> {
  await connection.ready()
  const client = await connection.connect()
  const { schema, location } = connection
  let isOpen = true

  async function end(statement: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    if (!isOpen) return
    isOpen = false
    cancelTimer()
    await endTransaction(client, statement, location)
  }

  async function write<Result>(text: string, value: object): Promise<Result | undefined> {
    if (!isOpen) return undefined
    // From here on only the write ends the transaction: the timer must not undo what is acknowledged.
    cancelTimer()
    try {
      const { rows } = await client.query<{ result: Result }>(`SELECT ${schema}.${text} AS result`, [encodeJson(value)])
      await end('COMMIT')
      return rows[0]?.result
    } catch (error) {
      await end('ROLLBACK').catch(() => undefined)
      throw toStoreError(error, location)
    }
  }

  try {
    // A process that stops in between holds the lock for as long: the server ends its transaction then.
    await client.query(`BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${MAX_IDLE_MS}`)
    await client.query(`LOCK TABLE ${schema}.users IN SHARE ROW EXCLUSIVE MODE`)
  } catch (error) {
    client.release(true)
    throw toStoreError(error, location)
  }
  const cancelTimer = systemEffects.setTimer(() => void end('ROLLBACK').catch(() => undefined), MAX_LOCK_MS, {
    background: true,
  })
  return {
    commit: async (user, commit) => (await write<boolean>('apply_commit($1)', commitOf(user, commit))) === true,
    erase: async (user, erasure) => (await write<ErasedRows>('erase_user($1)', erasureOf(user, erasure))) ?? null,
    release: () => end('ROLLBACK'),
  }
}

async function endTransaction(client: PoolClient, statement: string, location: string): Promise<void> {
  try {
    await client.query(statement)
    client.release()
  } catch (error) {
    client.release(true)
    throw toStoreError(error, location)
  }
}

/** An erasure as `erase_user` reads it. */
export function erasureOf({ namespace, id }: Subject, { tag, incarnation, revision, log }: Erasure): object {
  return { namespace, id, tag, incarnation, revision, log: commitOf({ namespace, id: '' }, log) }
}
