import { describe, it } from 'node:test'
import type { NewEvent } from '../../../src/journal/event.ts'
import { addNote, block, changeCap, changeTimeZone, correct, unblock } from '../../../src/ledger/decide/moderation.ts'
import { rulesWith } from '../../support/compiled-rules.ts'
import { admitting, type Decide, given } from '../../support/decide-spec.ts'

const by = { actor: 'ana', reason: 'a good reason' }
const rules = rulesWith({ dailyCap: 10 })
const NOON = '2026-03-10T12:00:00.000Z'
const ONE = '2026-03-10T13:00:00.000Z'

const setCap =
  (cap: number | null): Decide<void> =>
  (view) =>
    changeCap(rules, { cap, by }, view)
const blockUntil =
  (until: string | null, actor = by): Decide<void> =>
  (view) =>
    block({ until: until === null ? null : Date.parse(until), by: actor }, view)
const setZone =
  (zone: string | null): Decide<void> =>
  (view) =>
    changeTimeZone(rules, { zone, by }, view)
const correctTo =
  (labels: { phase?: string; riskLevel?: string }): Decide<void> =>
  (view) =>
    correct(rules, { ...labels, by }, view)
const unblockBy =
  (actor: string): Decide<void> =>
  (view) =>
    unblock({ actor }, view)
const admitOne: Decide<unknown> = admitting(rules, 1)

function action(detail: string, data: NewEvent['data'], audit: { actor: string; reason?: string } = by): NewEvent {
  return { type: 'admin_action', detail, data, ...audit }
}

interface Case {
  readonly name: string
  readonly before?: readonly NewEvent[]
  readonly after?: readonly Decide<unknown>[]
  readonly at?: string
  readonly decide: Decide<void>
  readonly events: readonly NewEvent[]
}

const warm: NewEvent = { type: 'phase_transition', detail: '', data: { from: 'dormant', to: 'warm' } }
const high: NewEvent = { type: 'risk_change', detail: '', data: { from: 'low', to: 'high' } }
const endless = { at: NOON, ...by, until: null }
const ending = { ...endless, until: ONE }

const CAP: readonly Case[] = [
  {
    name: 'a cap is set, with actor, reason and the values before and after (BL-28, BL-D13)',
    decide: setCap(5),
    events: [
      action('rate limit: 10 -> 5 msgs/day', { action: 'cap', before: null, after: 5, old_cap: 10, new_cap: 5 }),
    ],
  },
  {
    name: 'a cap is lifted by 0',
    after: [setCap(5)],
    decide: setCap(0),
    events: [action('rate limit: 5 -> 0 msgs/day', { action: 'cap', before: 5, after: 0, old_cap: 5, new_cap: 0 })],
  },
  {
    name: 'a cap is reset to the default by null',
    after: [setCap(0)],
    decide: setCap(null),
    events: [
      action('rate limit: 0 -> 10 msgs/day (default)', {
        action: 'cap',
        before: 0,
        after: null,
        old_cap: 0,
        new_cap: 10,
      }),
    ],
  },
  { name: 'the same cap again leaves no event', after: [setCap(5)], decide: setCap(5), events: [] },
  { name: 'a reset without a cap leaves no event', decide: setCap(null), events: [] },
]

const BLOCK: readonly Case[] = [
  {
    name: 'a block without an end',
    decide: blockUntil(null),
    events: [action('blocked', { action: 'block', before: null, after: endless })],
  },
  {
    name: 'a block with an end',
    decide: blockUntil(ONE),
    events: [action(`blocked until ${ONE}`, { action: 'block', before: null, after: ending })],
  },
  { name: 'the same block again leaves no event', after: [blockUntil(null)], decide: blockUntil(null), events: [] },
  {
    name: 'another end replaces a block',
    after: [blockUntil(null)],
    decide: blockUntil(ONE),
    events: [action(`blocked until ${ONE}`, { action: 'block', before: endless, after: ending })],
  },
  {
    name: 'a block that has ended is not the value before',
    after: [blockUntil(ONE)],
    at: ONE,
    decide: blockUntil(null),
    events: [action('blocked', { action: 'block', before: null, after: { ...endless, at: ONE } })],
  },
  {
    name: 'an unblock names the block before',
    after: [blockUntil(null)],
    decide: unblockBy('bea'),
    events: [action('unblocked', { action: 'unblock', before: endless, after: null }, { actor: 'bea' })],
  },
  { name: 'an unblock without a block leaves no event', decide: unblockBy('bea'), events: [] },
]

const CORRECTION: readonly Case[] = [
  {
    name: 'phase and risk are corrected in one event',
    before: [warm],
    decide: correctTo({ phase: 'calm', riskLevel: 'high' }),
    events: [
      action('corrected phase: warm -> calm, risk: low -> high', {
        action: 'correct',
        before: { phase: 'warm', riskLevel: 'low' },
        after: { phase: 'calm', riskLevel: 'high' },
      }),
    ],
  },
  {
    name: 'only labels that differ are corrected',
    before: [warm, high],
    decide: correctTo({ phase: 'calm', riskLevel: 'high' }),
    events: [
      action('corrected phase: warm -> calm', {
        action: 'correct',
        before: { phase: 'warm' },
        after: { phase: 'calm' },
      }),
    ],
  },
  {
    name: 'a correction that changes nothing leaves no event',
    before: [warm],
    decide: correctTo({ phase: 'warm' }),
    events: [],
  },
]

const ZONE: readonly Case[] = [
  {
    name: 'a zone counts at once when nothing was counted in the window',
    decide: setZone('Asia/Tokyo'),
    events: [
      action('time zone: default -> Asia/Tokyo', {
        action: 'time_zone',
        before: null,
        after: 'Asia/Tokyo',
        zone: { current: 'Asia/Tokyo', previous: null, effectiveAt: null, firstDate: null },
      }),
    ],
  },
  {
    name: 'a zone counts from the end of the window when something was counted in it',
    after: [admitOne],
    decide: setZone('Asia/Tokyo'),
    events: [
      action('time zone: default -> Asia/Tokyo', {
        action: 'time_zone',
        before: null,
        after: 'Asia/Tokyo',
        zone: {
          current: 'Asia/Tokyo',
          previous: null,
          effectiveAt: '2026-03-11T00:00:00.000Z',
          firstDate: '2026-03-11',
        },
      }),
    ],
  },
  {
    name: 'a second change before the end of the window keeps the zone that counts now',
    after: [setZone('Europe/Berlin'), admitOne, setZone('Asia/Tokyo')],
    decide: setZone(null),
    events: [
      action('time zone: Asia/Tokyo -> default', {
        action: 'time_zone',
        before: 'Asia/Tokyo',
        after: null,
        zone: {
          current: null,
          previous: 'Europe/Berlin',
          effectiveAt: '2026-03-10T23:00:00.000Z',
          firstDate: '2026-03-11',
        },
      }),
    ],
  },
  { name: 'the same zone again leaves no event', decide: setZone(null), events: [] },
]

for (const [title, cases] of Object.entries({ cap: CAP, block: BLOCK, correction: CORRECTION, 'time zone': ZONE })) {
  describe(`decisions of operators: ${title}`, () => {
    for (const { name, before = [], after = [], at = NOON, decide, events } of cases) {
      it(name, () => {
        given(before)
          .after(...after)
          .at(at)
          .when(decide)
          .then(events)
      })
    }
  })
}

describe('decisions of operators', () => {
  it('a block must end in the future', () => {
    given([]).when(blockUntil(NOON)).thenThrows({ code: 'argument_invalid' })
  })

  it('the event of a note contains its id, its length and its digest', () => {
    const note = { id: 'n', length: 25, digest: 'd' }
    given([])
      .when(() => addNote(note, by))
      .then([action('note added', { action: 'note', before: null, after: null, ...note })])
  })
})
