import { timingSafeEqual } from 'node:crypto'
import { readPage } from '../core/long-read.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import { LOG_OF_NAMESPACE } from '../storage/commit.ts'
import type { Store } from '../storage/store.ts'
import type { IntegrityError, Verification } from './api.ts'
import type { LedgerDeps } from './deps.ts'

/*
 * A checkpoint is a short signed text, to be stored apart from the store's files. It names an event that was appended
 * for it to the namespace's log, which is never trimmed, and a digest of all events up to then. A store that was rolled
 * back lacks that event; a store that was written after a rollback has another event in that position.
 */

export interface Checkpoint {
  readonly namespace: string
  readonly at: string
  /** Sequence of its event in the namespace's log. */
  readonly sequence: number
  readonly mac: string
  /** The newest position it covers. */
  readonly position: number
  readonly events: number
  readonly digest: string
}

type CheckpointDeps = Pick<LedgerDeps, 'store' | 'keys'>

const HEADING = 'purser-checkpoint 1'
const FIELDS = ['namespace', 'at', 'sequence', 'mac', 'position', 'events', 'digest'] as const
const TEXT_MAX_LENGTH = 10_000
const PAGE = 1_000

/** `actor`: who asked for it; recorded in the event. */
export async function createCheckpoint(deps: LedgerDeps, namespace: string, actor: string): Promise<string> {
  const log: Subject = { namespace, id: LOG_OF_NAMESPACE }
  const event = await deps.journal.write(log, {
    decide: () => ({
      events: [{ type: 'checkpoint', detail: 'checkpoint made', data: {}, actor }],
      result: ({ events }) => events[0],
    }),
  })
  if (event === undefined) throw new PurserError('store_unavailable', 'The checkpoint was not written.')
  const position = (await deps.store.events.position(namespace)) ?? 0
  const { sequence, mac, at } = event
  const { events, digest } = await digestEvents(deps, namespace, position)
  return encodeCheckpoint(deps.keys, { namespace, at, sequence, mac, position, events, digest })
}

function encodeCheckpoint(keys: CheckpointDeps['keys'], checkpoint: Checkpoint): string {
  const lines = [HEADING, ...FIELDS.map((field) => `${field} ${JSON.stringify(checkpoint[field])}`)]
  return `${[...lines, `signature ${signatureOf(keys, lines)}`].join('\n')}\n`
}

/** Throws `checkpoint_invalid` for text that was changed, or was signed for another store or namespace. */
export function parseCheckpoint(keys: CheckpointDeps['keys'], namespace: string, text: unknown): Checkpoint {
  const lines = typeof text === 'string' && text.length < TEXT_MAX_LENGTH ? text.trim().split(/\r?\n/) : []
  const signature = Buffer.from(lines.pop()?.replace(/^signature /, '') ?? '')
  const expected = Buffer.from(signatureOf(keys, lines))
  if (lines[0] !== HEADING || signature.length !== expected.length || !timingSafeEqual(signature, expected))
    throw checkpointInvalid()
  const values = lines
    .slice(1)
    .map((line, index) => [FIELDS[index], JSON.parse(line.slice(line.indexOf(' ') + 1))] as const)
  const checkpoint = Object.fromEntries(values) as unknown as Checkpoint
  if (checkpoint.namespace !== namespace) throw checkpointInvalid()
  return checkpoint
}

/** Runs `verify`; with the text of a checkpoint, also checks that the store still contains what it covers. */
export async function verifyWithCheckpoint(
  { namespace, ...deps }: CheckpointDeps & { readonly namespace: string },
  text: string | undefined,
  verify: () => Promise<Verification>,
): Promise<Verification> {
  const checkpoint = text === undefined ? undefined : parseCheckpoint(deps.keys, namespace, text)
  const verification = await verify()
  const rollback = checkpoint && (await findRollback(deps, checkpoint))
  if (rollback === undefined) return verification
  return { ok: false, checked: verification.checked, firstBad: verification.firstBad ?? rollback }
}

/** Undefined when the store still contains everything the checkpoint covers. */
async function findRollback(deps: CheckpointDeps, checkpoint: Checkpoint): Promise<IntegrityError | undefined> {
  const { namespace, sequence, mac, position } = checkpoint
  const log: Subject = { namespace, id: LOG_OF_NAMESPACE }
  const [event] = await deps.store.events.oldest(log, { after: sequence - 1, limit: 1 })
  if (event?.sequence !== sequence || event.mac !== mac)
    return { user: LOG_OF_NAMESPACE, sequence, problem: 'The store was rolled back to a state before the checkpoint.' }
  const { digest } = await digestEvents(deps, namespace, position)
  if (digest === checkpoint.digest || (await hasRemovalsSince(deps.store, checkpoint))) return undefined
  return { problem: `Some of the ${checkpoint.events} events of the checkpoint are missing or were changed.` }
}

/** Whether events were removed by erasure or retention after the checkpoint. Both append an event. */
async function hasRemovalsSince(store: Store, { namespace, position }: Checkpoint): Promise<boolean> {
  for (let after = position; ; ) {
    const page = { after, limit: PAGE }
    const entries = await readPage(() => store.events.tail(namespace, page))
    if (entries.some(({ event }) => event.type === 'user_erased' || event.type === 'retention')) return true
    if (entries.length < PAGE) return false
    after = entries.at(-1)?.position ?? after
  }
}

/** The sum of one keyed number per event, which does not depend on their order. */
async function digestEvents(
  { store, keys }: CheckpointDeps,
  namespace: string,
  upTo: number,
): Promise<{ events: number; digest: string }> {
  let events = 0
  let sum = 0n
  for (let after = 0; ; ) {
    const page = { after, limit: PAGE }
    const entries = await readPage(() => store.events.tail(namespace, page))
    for (const { position, user, event } of entries) {
      if (position > upTo) continue
      const mac = keys.mac('checkpoint', ['event', namespace, user, event.sequence, event.mac], 'hex')
      sum = BigInt.asUintN(256, sum + BigInt(`0x${mac}`))
      events++
    }
    after = entries.at(-1)?.position ?? upTo
    if (entries.length < PAGE || after >= upTo) return { events, digest: sum.toString(16).padStart(64, '0') }
  }
}

function signatureOf(keys: CheckpointDeps['keys'], lines: readonly string[]): string {
  return keys.mac('checkpoint', ['text', lines.join('\n')])
}

function checkpointInvalid(): PurserError {
  return new PurserError('checkpoint_invalid', 'The checkpoint was changed, or was not signed by this store.', {
    hint: 'Pass the whole text as checkpoint() returned it, to the same store and namespace.',
  })
}
