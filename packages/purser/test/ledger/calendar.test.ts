import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Temporal } from 'temporal-polyfill'
import { dayAt, dayOn, nextDate, zoneName } from '../../src/ledger/calendar.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { openHouse } from '../support/ledger-harness.ts'

const ZONES =
  `Africa/Cairo Africa/Casablanca Africa/Johannesburg Africa/Lagos America/Anchorage America/Argentina/Buenos_Aires
America/Asuncion America/Bogota America/Chicago America/Denver America/Godthab America/Halifax America/Havana America/Los_Angeles
America/Mexico_City America/New_York America/Santiago America/Sao_Paulo America/St_Johns Antarctica/Troll Asia/Amman Asia/Beirut
Asia/Gaza Asia/Kathmandu Asia/Kolkata Asia/Shanghai Asia/Tehran Asia/Tokyo Atlantic/Azores Australia/Adelaide Australia/Lord_Howe
Australia/Sydney Europe/Berlin Europe/Dublin Europe/London Pacific/Apia Pacific/Auckland Pacific/Chatham Pacific/Kiritimati UTC`.split(
    /\s+/,
  )

const formats = new Map<string, Intl.DateTimeFormat>()

/** The date in a zone by ICU's formatter, which knows nothing of days. */
function dateByFormat(zone: string, now: number): string {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
    formats.set(zone, format)
  }
  return format.format(now)
}

/** A day's first and last instant told another way: by what the formatter calls the instants around them. */
function checkDay(zone: string, date: string): number {
  const day = dayOn(zone, date)
  const label = `${zone} ${date}`
  assert.equal(dateByFormat(zone, day.start) >= date, true, `${label} begins too early`)
  assert.equal(dateByFormat(zone, day.start - 1) < date, true, `${label} begins too late`)
  assert.equal(dateByFormat(zone, day.end - 1) <= date, true, `${label} ends too late`)
  assert.equal(dateByFormat(zone, day.end) > date, true, `${label} ends too early`)
  const start = Temporal.Instant.fromEpochMilliseconds(day.start).toZonedDateTimeISO(zone)
  if (day.end > day.start)
    assert.equal(day.end - day.start, start.hoursInDay * 3_600_000, `${label} has another length`)
  for (const instant of [day.start, day.start + 1, (day.start + day.end) / 2, day.end - 1])
    if (instant >= day.start && instant < day.end) assert.equal(dayAt(zone, instant).date, date, label)
  return day.end
}

describe('calendar days (L4)', () => {
  const days = 730
  it(`40 zones over ${days} days are what ICU says, and follow each other without a gap`, () => {
    assert.equal(ZONES.length, 40)
    for (const zone of ZONES) {
      let date = '2025-01-01'
      let end: number | undefined
      for (let day = 0; day < days; day++) {
        if (end !== undefined) assert.equal(dayOn(zone, date).start, end)
        end = checkDay(zone, date)
        date = nextDate(date)
      }
    }
  })

  it('Lord Howe shifts by half an hour', () => {
    assert.equal(
      (dayOn('Australia/Lord_Howe', '2026-04-05').end - dayOn('Australia/Lord_Howe', '2026-04-05').start) / 3_600_000,
      24.5,
    )
    assert.equal(
      (dayOn('Australia/Lord_Howe', '2026-10-04').end - dayOn('Australia/Lord_Howe', '2026-10-04').start) / 3_600_000,
      23.5,
    )
    for (const date of ['2026-04-04', '2026-04-05', '2026-04-06', '2026-10-04']) checkDay('Australia/Lord_Howe', date)
  })

  it('São Paulo had no midnight on 2015-10-18', () => {
    const day = dayOn('America/Sao_Paulo', '2015-10-18')
    assert.equal(new Date(day.start).toISOString(), '2015-10-18T03:00:00.000Z')
    assert.equal((day.end - day.start) / 3_600_000, 23)
    checkDay('America/Sao_Paulo', '2015-10-17')
  })

  it('Apia had no 2011-12-30: the day has no length, and is never the day of an instant', () => {
    const missing = dayOn('Pacific/Apia', '2011-12-30')
    assert.equal(missing.start, missing.end)
    assert.equal(dayOn('Pacific/Apia', '2011-12-29').end, dayOn('Pacific/Apia', '2011-12-31').start)
    assert.equal(dayAt('Pacific/Apia', missing.start).date, '2011-12-31')
    assert.equal(dayAt('Pacific/Apia', missing.start - 1).date, '2011-12-29')
  })

  it("a clock put back over midnight does not bring yesterday back (St. John's 2010-11-07)", () => {
    const zone = 'America/St_Johns'
    const day = dayOn(zone, '2010-11-07')
    const during = day.start + 30 * 60_000
    assert.equal(dateByFormat(zone, during), '2010-11-06')
    assert.equal(dayAt(zone, during).date, '2010-11-07')
    assert.equal((day.end - day.start) / 3_600_000, 25)
  })

  it('knows zones by their names alone', () => {
    assert.equal(zoneName('asia/kolkata'), 'Asia/Kolkata')
    for (const wrong of ['Mars/Olympus', '', '+05:30', 'UTC+5', 5, null, undefined, 'x'.repeat(100)])
      assert.throws(() => zoneName(wrong), { code: 'timezone_invalid' })
  })
})

describe('zone changes', () => {
  const by = { actor: 'ana' }

  it('take effect at once where nothing was counted yet', async () => {
    await using house = await openHouse({ dailyCap: 1 })
    const bond = await house.of('ann').setTimeZone('Asia/Tokyo', by)
    assert.equal(bond.timeZone, 'Asia/Tokyo')
    assert.equal(bond.windowResetAt, '2026-03-10T15:00:00.000Z')
  })

  it('take effect at the end of the running window (east)', async () => {
    await using house = await openHouse({ dailyCap: 1 })
    const ann = house.of('ann')
    await ann.admit()
    await ann.setTimeZone('Asia/Tokyo')
    house.clock.setWall('2026-03-10T23:59:59Z')
    assert.equal((await ann.admit()).resetAt, '2026-03-11T00:00:00.000Z')
    house.clock.setWall('2026-03-11T00:00:00Z')
    assert.deepEqual(
      { ...(await ann.admit()), ticket: '' },
      { allowed: true, ticket: '', remaining: 0, cap: 1, count: 1, resetAt: '2026-03-11T15:00:00.000Z' },
    )
    house.clock.setWall('2026-03-11T15:00:00Z')
    assert.equal((await ann.admit()).allowed, true)
  })

  it('keep the promised reset and give no date twice (west)', async () => {
    await using house = await openHouse({ dailyCap: 1 })
    const ann = house.of('ann')
    await ann.admit()
    await ann.setTimeZone('America/New_York')
    house.clock.setWall('2026-03-11T00:00:00Z')
    const next = await ann.admit()
    assert.equal(next.allowed, true)
    // It is still the 10th in New York, and the 10th was given already: this is the 11th, from here to its midnight there.
    assert.equal(next.resetAt, '2026-03-12T04:00:00.000Z')
    house.clock.setWall('2026-03-11T05:00:00Z')
    assert.equal((await ann.admit()).allowed, false)
  })

  it('back and forth within a window change nothing', async () => {
    await using house = await openHouse({ dailyCap: 1 })
    const ann = house.of('ann')
    await ann.admit()
    for (const zone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago', null, 'Asia/Tokyo', null]) {
      await ann.setTimeZone(zone)
      assert.equal((await ann.admit()).allowed, false)
    }
    house.clock.setWall('2026-03-11T00:00:00Z')
    assert.equal((await ann.quota()).resetAt, '2026-03-12T00:00:00.000Z')
  })

  it('a traveller in settings gains no day: each date is given once', async () => {
    printSeed('zone changes')
    const zones = [
      'Pacific/Kiritimati',
      'Pacific/Pago_Pago',
      'UTC',
      'America/New_York',
      'Asia/Kolkata',
      'Europe/Berlin',
      null,
    ]
    const step = fc.record({
      hours: fc.integer({ min: 1, max: 20 }),
      zone: fc.option(fc.constantFrom(...zones), { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        await using house = await openHouse({ dailyCap: 1 })
        const ann = house.of('ann')
        const start = house.clock.now()
        let given = 0
        for (const { hours, zone } of steps) {
          house.clock.advance(hours * 3_600_000)
          if (zone !== undefined) await ann.setTimeZone(zone)
          const promised = (await ann.quota()).resetAt
          if ((await ann.admit()).allowed) given++
          assert.equal((await ann.admit()).allowed, false)
          if (zone !== undefined) assert.equal((await ann.quota()).resetAt, promised)
        }
        const days = (house.clock.now() - start) / 86_400_000
        assert.ok(given <= Math.floor(days) + 3, `${given} windows in ${days} days`)
        assert.equal((await ann.verify()).ok, true)
      }),
      { numRuns: rounds(2_000, 100), seed },
    )
  })
})
