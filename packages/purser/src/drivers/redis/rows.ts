import type { Subject } from '../../core/subject.ts'
import type { Commit, Facets, Recorded, Reply, StoredEvent, UserRow } from '../../storage/commit.ts'
import { SUM_AMOUNTS, type SumIncrement, type SumRow, toSumAmount } from '../../storage/sum-store.ts'
import type { StoredTurn } from '../../storage/turn-store.ts'
import { FOREVER, NEVER_SEEN } from '../instants.ts'
import type { RedisReply } from './link.ts'

/*
 * The representation of rows in Redis. Numbers are text; those that count are integers below 2^53.
 */

/** The fields of a user's hash that `userOf` reads, in its order. */
export const USER_FIELDS: readonly string[] = [
  'incarnation',
  'revision',
  'headSequence',
  'headMac',
  'mac',
  'state',
  'measured',
  'usage',
  'created',
  'updated',
  'seen',
]

export function userOf(fields: readonly (string | null)[]): UserRow | undefined {
  const [incarnation, revision, sequence, headMac, mac, state, measured, usage, created, updated, seen] = fields
  if (incarnation === null || incarnation === undefined) return undefined
  return {
    incarnation: Number(incarnation),
    revision: Number(revision),
    head: sequence == null || headMac == null ? null : { sequence: Number(sequence), mac: headMac },
    headMac: mac ?? null,
    state: state ?? null,
    measured: measured ?? null,
    usage: usage ?? null,
    stamps: {
      createdAt: Number(created),
      updatedAt: Number(updated),
      seenAt: Number(seen) === NEVER_SEEN ? null : Number(seen),
    },
  }
}

/** The fields of a user's hash that `facetsOf` reads, in its order. */
export const FACET_FIELDS: readonly string[] = ['phase', 'risk', 'blocked', 'cap', 'capUntil', 'peak']

export function facetsOf([phase, risk, blocked, cap, capUntil, peak]: readonly (string | null)[]): Facets {
  return {
    phase: decodeURIComponent(phase ?? ''),
    riskLevel: decodeURIComponent(risk ?? ''),
    blocked: blocked === '1',
    capUsed: Number(cap),
    capUsedUntil: Number(capUntil) === FOREVER ? null : Number(capUntil),
    peak: Number(peak),
  }
}

/** A record in the hash and in the sorted set of names: kinds are encoded, so the first colon ends the kind. */
export function recordName(kind: string, name: string): string {
  return `${encodeURIComponent(kind)}:${name}`
}

/** An event: its encoded id, a space, and the rest as JSON. */
export function eventText({ sequence, id, at, type, body, mac }: StoredEvent): string {
  return `${encodeURIComponent(id)} ${JSON.stringify([sequence, id, at, type, body, mac])}`
}

export function eventOf(text: string): StoredEvent {
  const [sequence, id, at, type, body, mac] = JSON.parse(text.slice(text.indexOf(' ') + 1)) as [
    number,
    string,
    number,
    string,
    string,
    string,
  ]
  return { sequence, id, at, type, body, mac }
}

export function replyOf(key: string, text: RedisReply): Reply | undefined {
  if (typeof text !== 'string') return undefined
  const [digest, result, expiresAt] = JSON.parse(text) as [string, string, number]
  return { key, digest, result, expiresAt }
}

export interface CommitArguments {
  readonly user: Subject
  readonly commit: Commit
  /** Names this commit, so that it is not written twice. */
  readonly id: string
  /** That of the write lock under which it is written. */
  readonly token?: string | undefined
  /** Of a row that is written as it is, with names and values of its fields. Default: as the commit changes it. */
  readonly stored?: { readonly revision: number; readonly fields: readonly string[] }
}

/** A commit as the scripts read it. */
export function commitArguments({ user, commit, id, token = '', stored }: CommitArguments, isRetry: boolean): string[] {
  checkNumbers(commit)
  const { expect, incarnation, tag, at, seenAt, facets, dropEventsBelow } = commit
  const args = [user.id, encodeURIComponent(user.id), id, isRetry ? '1' : '0', token]
  args.push(expect === null ? '' : String(expect), String(incarnation), tag ?? '')
  args.push(String(stored?.revision ?? (expect ?? 0) + 1))
  args.push(String(at), String(seenAt ?? NEVER_SEEN), ...facetArguments(facets))
  args.push(dropEventsBelow === undefined ? '' : String(dropEventsBelow))
  const fields = stored?.fields ?? changedFields(commit)
  args.push(String(fields.length / 2), ...fields)
  pushRows(args, commit)
  pushRecorded(args, commit.recorded ?? NOTHING_RECORDED)
  return args
}

function pushRows(args: string[], { records, trims, replies, events }: Commit): void {
  args.push(String(records.length))
  for (const { kind, name, value } of records)
    args.push(recordName(kind, name), value === null ? '0' : '1', value ?? '')
  args.push(String(trims.length))
  for (const { kind, keep } of trims) args.push(encodeURIComponent(kind), String(keep))
  args.push(String(replies.length))
  for (const { key, digest, result, expiresAt } of replies)
    args.push(key, JSON.stringify([digest, result, expiresAt]), String(expiresAt))
  args.push(String(events.length))
  for (const event of events) args.push(String(event.sequence), encodeURIComponent(event.id), eventText(event))
}

const NOTHING_RECORDED: Recorded = { turns: [], userSums: [], sums: [] }

function pushRecorded(args: string[], { turns, keepTurns, userSums, sums }: Recorded): void {
  args.push(String(turns.length))
  for (const turn of turns) args.push(turn.id, turnText(turn))
  args.push(keepTurns === undefined ? '' : String(keepTurns))
  const [firstDay = ''] = userSums.map(({ day }) => day).sort()
  args.push(firstDay)
  const ofUser = userSums.flatMap(sumFields)
  args.push(String(ofUser.length), ...ofUser.flat())
  const days = daysOf(sums)
  args.push(String(days.length), ...days)
  const ofNamespace = sums.flatMap((sum) =>
    sumFields(sum).map(([field, amount]) => [String(days.indexOf(sum.day) + 1), field, amount]),
  )
  args.push(String(ofNamespace.length), ...ofNamespace.flat())
}

/** The days of sums, in the order in which the scripts get the keys of their sums. */
export function daysOf(sums: readonly SumIncrement[]): readonly string[] {
  return [...new Set(sums.map(({ day }) => day))]
}

/** The fields of a row of sums that are not 0, each with its amount. */
export function sumFields({ day, hour, key, amounts }: SumIncrement): [field: string, amount: string][] {
  const fields = amounts.map((amount, index): [string, string] => [`${day} ${hour} ${index} ${key}`, String(amount)])
  return fields.filter(([, amount]) => amount !== '0')
}

/** The rows of sums in a hash of fields and amounts, in no particular order. */
export function sumsOf(fields: readonly string[]): SumRow[] {
  const rows = new Map<string, { row: Omit<SumRow, 'amounts'>; amounts: bigint[] }>()
  for (let at = 0; at < fields.length; at += 2) {
    const [, day, hour, index, key] = /^(\S+) (\S+) (\S+) (.*)$/s.exec(fields[at] as string) ?? []
    if (day === undefined || key === undefined) continue
    const name = `${day} ${hour} ${key}`
    const found = rows.get(name) ?? { row: { day, hour: Number(hour), key }, amounts: Array(SUM_AMOUNTS).fill(0n) }
    found.amounts[Number(index)] = BigInt(fields[at + 1] as string)
    rows.set(name, found)
  }
  return [...rows.values()].map(({ row, amounts }) => ({ ...row, amounts: amounts.map(toSumAmount) }))
}

/** A turn: its id, its encoded outcome and its value. */
export function turnText({ id, outcome, value }: StoredTurn): string {
  return `${id} ${encodeURIComponent(outcome)} ${value}`
}

export function turnOf(member: string): StoredTurn {
  const [, id = '', outcome = '', value = ''] = /^(\S+) (\S+) (.*)$/s.exec(member) ?? []
  return { id, outcome: decodeURIComponent(outcome), value }
}

/** The constraints that a column type has in other databases. */
function checkNumbers({ at, facets: { capUsed, peak } }: Commit): void {
  for (const value of [at, capUsed, peak])
    if (!Number.isFinite(value)) throw new Error(`Cannot store the number ${value}.`)
}

function facetArguments({ phase, riskLevel, blocked, capUsed, capUsedUntil, peak }: Facets): string[] {
  return [
    encodeURIComponent(phase),
    encodeURIComponent(riskLevel),
    blocked ? '1' : '0',
    String(Math.max(0, capUsed)),
    String(capUsedUntil ?? FOREVER),
    String(Math.max(0, peak)),
  ]
}

function changedFields({ folded, measured, usage }: Commit): string[] {
  const fields: string[] = []
  if (folded !== undefined) {
    const { head, headMac, state } = folded
    fields.push('headSequence', String(head.sequence), 'headMac', head.mac, 'mac', headMac, 'state', state)
  }
  if (measured !== undefined) fields.push('measured', measured)
  if (usage !== undefined) fields.push('usage', usage)
  return fields
}
