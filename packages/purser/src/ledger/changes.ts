import { PurserError } from '../errors.ts'
import type { Subject } from '../identity.ts'
import type { Event, NewEvent } from '../journal/fold.ts'
import type { Write } from '../journal/port.ts'
import { signal as tell } from '../signals.ts'
import { actorOf, idempotencyOf, instantOf, onlyKnown, options, reasonOf, refuse, wholeNumber } from './arguments.ts'
import { type Bond, bondOf } from './bond.ts'
import { block, changeCap, changeZone, correct, noteAdded, unblock } from './decide/administration.ts'
import { type Observed, observe } from './decide/observation.ts'
import { appEvent } from './decide/record.ts'
import { checkDetection, label } from './detection.ts'
import type { LedgerHouse } from './house.ts'
import { NOTE_RECORDS, type Note, noteId, noteText } from './notes.ts'
import type { Acting, UserLedger } from './port.ts'
import { retain } from './retention.ts'
import { instant, type LedgerView } from './rules.ts'
import type { LedgerState, Measured } from './state.ts'
import { zoneName } from './zones.ts'

type Changes = Pick<
  UserLedger,
  'observe' | 'record' | 'setDailyCap' | 'block' | 'unblock' | 'correct' | 'addNote' | 'setTimeZone'
>
type LedgerWrite<Result> = Write<LedgerState, Measured, Result>

const ACTING = ['actor', 'reason', 'expectedVersion', 'signal'] as const

/** What detectors and people say about a user. */
export function createChanges(house: LedgerHouse, user: Subject): Changes {
  const { journal, rules, effects, keys } = house
  const bond = (view: LedgerView): Bond => bondOf(rules, user.id, view)

  /** Writes, and lets retention follow where events are kept in a limited number. */
  async function write<Result>(order: LedgerWrite<Result>): Promise<Result> {
    const result = await journal.write(user, order)
    if (rules.keepEvents !== null) await retain(house, user, rules.keepEvents)
    return result
  }

  const change = (by: Acting, decide: (view: LedgerView) => readonly NewEvent[]): Promise<Bond> =>
    write<Bond>({
      signal: by.signal,
      decide(view) {
        if (by.expectedVersion !== undefined && by.expectedVersion !== view.version) throw conflict(view.version)
        return { events: decide(view), result: (after) => bond(after.view) }
      },
    })

  return {
    async observe(input, given = {}) {
      options(given, ['peaks', 'idempotencyKey', 'signal'], 'observe')
      const detection = checkDetection(rules, input, given.peaks)
      const observed = await write<Observed<Bond>>({
        signal: given.signal,
        idempotency: idempotencyOf(given.idempotencyKey, 'observe', detection),
        decide: (view) => observe(rules, { detection, bond }, view),
        replay: (kept) => ({ ...kept, outcome: 'replayed' }),
      })
      tell('activity', { namespace: user.namespace, user: user.id })
      return observed
    },

    async record(type, given = {}) {
      options(given, ['detail', 'data', 'actor', 'idempotencyKey', 'signal'], 'record')
      const { detail, data } = given
      const event = appEvent(type, { detail, data, actor: given.actor === undefined ? 'app' : actorOf(given.actor) })
      return write<Event>({
        signal: given.signal,
        idempotency: idempotencyOf(given.idempotencyKey, 'record', event),
        decide: () => ({ events: [event], result: ({ events }) => events[0] as Event }),
      })
    },

    async setDailyCap(cap, given) {
      const by = known(given, 'setDailyCap')
      if (cap !== null)
        wholeNumber(cap, { name: 'A cap', least: 0, most: Number.MAX_SAFE_INTEGER, code: 'cap_invalid' })
      return change(by, (view) => changeCap(rules, { cap, by }, view))
    },

    async block(given) {
      options(given, [...ACTING, 'until'], 'block')
      const by = { ...acting(given), reason: reasonOf(given?.reason) }
      const until = given.until === undefined || given.until === null ? null : instantOf(given.until, { name: 'until' })
      return change(by, (view) => block({ until, by }, view))
    },

    async unblock(given) {
      const by = known(given, 'unblock')
      return change(by, (view) => unblock(by, view))
    },

    async correct(fields, given) {
      onlyKnown(fields, ['phase', 'riskLevel'], { what: 'a correction', code: 'argument_invalid' })
      options(given, ACTING, 'correct')
      const by = { ...acting(given), reason: reasonOf(given?.reason) }
      const { phase, riskLevel } = fields
      if (phase === undefined && riskLevel === undefined)
        refuse('argument_invalid', 'A correction needs a phase or a riskLevel.')
      const command = {
        by,
        ...(phase === undefined ? {} : { phase: label(phase, 'phase', rules.phases) }),
        ...(riskLevel === undefined ? {} : { riskLevel: label(riskLevel, 'riskLevel', rules.riskLevels) }),
      }
      return change(by, (view) => correct(rules, command, view))
    },

    async addNote(given, acts) {
      const by = known(acts, 'addNote')
      const body = noteText(given)
      const unique = effects.randomId()
      return write<Note>({
        signal: by.signal,
        decide(view) {
          const note: Note = {
            id: noteId(view.version + 1, unique),
            at: instant(view.now) as string,
            actor: by.actor,
            text: body,
          }
          const digest = keys.mac('notes', [user.namespace, user.id, note.id, body])
          return {
            events: noteAdded({ id: note.id, length: Buffer.byteLength(body), digest }, by),
            records: [{ kind: NOTE_RECORDS, name: note.id, value: JSON.stringify(note) }],
            result: () => note,
          }
        },
      })
    },

    async setTimeZone(zone, given = {}) {
      options(given, ACTING, 'setTimeZone')
      const name = zone === null ? null : zoneName(zone)
      const by = acting({ ...given, actor: given.actor ?? 'app' })
      return change(by, (view) => changeZone(rules, { zone: name, by }, view))
    },
  }
}

/** Who does it, where nothing but that can be said. */
function known(given: unknown, call: string): Acting {
  options(given ?? {}, ACTING, call)
  return acting(given)
}

/** Who does it; a reason and a version where there are any. */
function acting(given: unknown): Acting {
  const { actor, reason, expectedVersion, signal } = (given ?? {}) as Partial<Acting>
  return {
    actor: actorOf(actor),
    ...(reason === undefined ? {} : { reason: reasonOf(reason) }),
    ...(expectedVersion === undefined
      ? {}
      : {
          expectedVersion: wholeNumber(expectedVersion, {
            name: 'expectedVersion',
            least: 0,
            most: Number.MAX_SAFE_INTEGER,
          }),
        }),
    signal,
  }
}

function conflict(version: number): PurserError {
  return new PurserError('version_conflict', 'The bond has changed since the version you named.', {
    hint: 'Read it again, decide again, and name the new version.',
    details: { version },
  })
}
