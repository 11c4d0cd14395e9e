import { timingSafeEqual } from 'node:crypto'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import { LOG_OF_NAMESPACE } from '../storage/commit.ts'
import type { Store } from '../storage/store.ts'
import type { LedgerDeps } from './deps.ts'
import type { IntegrityError, Verification } from './verify.ts'

/*
 * A checkpoint is a short signed text to be kept where the store's own files are not. It names an event that was
 * written for it in the namespace's log, which nothing ever shortens, and a digest of all events up to then. A store
 * that was set back does not have that event; a store that wrote on after being set back has another in its place.
 */

export interface Checkpoint {
  readonly namespace: string
  readonly at: string
  /** The event in the namespace's log that was written for it. */
  readonly sequence: number
  readonly mac: string
  /** The newest position it stands for. */
  readonly position: number
  readonly events: number
  readonly digest: string
}

const HEADING = 'purser-checkpoint 1'
const FIELDS = ['namespace', 'at', 'sequence', 'mac', 'position', 'events', 'digest'] as const
const PAGE = 1_000

export async function makeCheckpoint(house: LedgerDeps, namespace: string): Promise<string> {
  const log: Subject = { namespace, id: LOG_OF_NAMESPACE }
  const event = await house.journal.write(log, {
    decide: () => ({
      events: [{ type: 'checkpoint', detail: 'checkpoint made', data: {}, actor: 'purser' }],
      result: ({ events }) => events[0],
    }),
  })
  if (event === undefined) throw new PurserError('store_unavailable', 'The checkpoint was not written.')
  const position = (await house.store.events.position(namespace)) ?? 0
  const { sequence, mac, at } = event
  const sum = await digestOfEvents(house, namespace, position)
  return writeCheckpoint(house.keys, { namespace, at, sequence, mac, position, events: sum.events, digest: sum.digest })
}

function writeCheckpoint(keys: Keyring, checkpoint: Checkpoint): string {
  const lines = [HEADING, ...FIELDS.map((field) => `${field} ${JSON.stringify(checkpoint[field])}`)]
  return `${[...lines, `signature ${macOf(keys, lines)}`].join('\n')}\n`
}

/** Throws `checkpoint_invalid` for text that this store did not sign, or that was changed. */
export function readCheckpoint(keys: Keyring, namespace: string, text: unknown): Checkpoint {
  const lines = typeof text === 'string' && text.length < 10_000 ? text.trim().split(/\r?\n/) : []
  const given = Buffer.from(lines.pop()?.replace(/^signature /, '') ?? '')
  const expected = Buffer.from(macOf(keys, lines))
  if (lines[0] !== HEADING || given.length !== expected.length || !timingSafeEqual(given, expected)) throw invalid()
  const values = lines
    .slice(1)
    .map((line, index) => [FIELDS[index], JSON.parse(line.slice(line.indexOf(' ') + 1))] as const)
  const checkpoint = Object.fromEntries(values) as unknown as Checkpoint
  if (checkpoint.namespace !== namespace) throw invalid()
  return checkpoint
}

/** What `verify` found, and whether the store is still what a checkpoint says, if one is given. */
export async function verifyAgainst(
  { text, ...house }: { store: Store; keys: Keyring; namespace: string; text: string | undefined },
  verify: () => Promise<Verification>,
): Promise<Verification> {
  const checkpoint = text === undefined ? undefined : readCheckpoint(house.keys, house.namespace, text)
  const found = await verify()
  const fault = checkpoint && (await setBackBehind(house, checkpoint))
  return fault === undefined ? found : { ok: false, checked: found.checked, firstBad: found.firstBad ?? fault }
}

/** Whether the store still has all that the checkpoint stands for; undefined when it has. */
async function setBackBehind(
  house: Pick<LedgerDeps, 'store' | 'keys'>,
  checkpoint: Checkpoint,
): Promise<IntegrityError | undefined> {
  const { namespace, sequence, mac, position } = checkpoint
  const log: Subject = { namespace, id: LOG_OF_NAMESPACE }
  const [event] = await house.store.events.oldest(log, { after: sequence - 1, limit: 1 })
  if (event?.sequence !== sequence || event.mac !== mac)
    return { user: LOG_OF_NAMESPACE, sequence, problem: 'The store was set back behind the checkpoint.' }
  const sum = await digestOfEvents(house, namespace, position)
  if (sum.digest === checkpoint.digest || (await removedSince(house.store, checkpoint))) return undefined
  return { problem: `Of the ${checkpoint.events} events of the checkpoint, not all are there as they were.` }
}

/** Erasure and retention remove events rightfully, and say so behind the checkpoint. */
async function removedSince(store: Store, { namespace, position }: Checkpoint): Promise<boolean> {
  for (let after = position; ; ) {
    const entries = await store.events.tail(namespace, { after, limit: PAGE })
    if (entries.some(({ event }) => event.type === 'user_erased' || event.type === 'retention')) return true
    if (entries.length < PAGE) return false
    after = entries.at(-1)?.position ?? after
  }
}

/** The sum of one keyed number for each event: it does not matter in which order they are read. */
async function digestOfEvents(
  { store, keys }: Pick<LedgerDeps, 'store' | 'keys'>,
  namespace: string,
  upTo: number,
): Promise<{ events: number; digest: string }> {
  let events = 0
  let sum = 0n
  for (let after = 0; ; ) {
    const entries = await store.events.tail(namespace, { after, limit: PAGE })
    for (const { position, user, event } of entries) {
      if (position > upTo) continue
      sum = BigInt.asUintN(
        256,
        sum + BigInt(`0x${keys.mac('checkpoint', ['event', namespace, user, event.sequence, event.mac], 'hex')}`),
      )
      events++
    }
    after = entries.at(-1)?.position ?? upTo
    if (entries.length < PAGE || after >= upTo) return { events, digest: sum.toString(16).padStart(64, '0') }
  }
}

function macOf(keys: Keyring, lines: readonly string[]): string {
  return keys.mac('checkpoint', ['text', lines.join('\n')])
}

function invalid(): PurserError {
  return new PurserError('checkpoint_invalid', 'The checkpoint is damaged or was not signed by this store.', {
    hint: 'Give the whole text as checkpoint() returned it, of the same namespace and store.',
  })
}
