import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Temporal } from 'temporal-polyfill'
import { dayAt, dayOn, nextDate, parseTimeZone } from '../../src/ledger/calendar.ts'

const ZONES =
  `Africa/Cairo Africa/Casablanca Africa/Johannesburg Africa/Lagos America/Anchorage America/Argentina/Buenos_Aires
America/Asuncion America/Bogota America/Chicago America/Denver America/Godthab America/Halifax America/Havana America/Los_Angeles
America/Mexico_City America/New_York America/Santiago America/Sao_Paulo America/St_Johns Antarctica/Troll Asia/Amman Asia/Beirut
Asia/Gaza Asia/Kathmandu Asia/Kolkata Asia/Shanghai Asia/Tehran Asia/Tokyo Atlantic/Azores Australia/Adelaide Australia/Lord_Howe
Australia/Sydney Europe/Berlin Europe/Dublin Europe/London Pacific/Apia Pacific/Auckland Pacific/Chatham Pacific/Kiritimati UTC`.split(
    /\s+/,
  )

const formats = new Map<string, Intl.DateTimeFormat>()

/** The date in a zone, by ICU's formatter. */
function icuDate(zone: string, now: number): string {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
    formats.set(zone, format)
  }
  return format.format(now)
}

/** Checks the first and last instant of a day by the formatter's dates of the instants around them. Returns its end. */
function checkDay(zone: string, date: string): number {
  const day = dayOn(zone, date)
  const label = `${zone} ${date}`
  assert.equal(icuDate(zone, day.start) >= date, true, `${label} starts too early`)
  assert.equal(icuDate(zone, day.start - 1) < date, true, `${label} starts too late`)
  assert.equal(icuDate(zone, day.end - 1) <= date, true, `${label} ends too late`)
  assert.equal(icuDate(zone, day.end) > date, true, `${label} ends too early`)
  const start = Temporal.Instant.fromEpochMilliseconds(day.start).toZonedDateTimeISO(zone)
  if (day.end > day.start)
    assert.equal(day.end - day.start, start.hoursInDay * 3_600_000, `${label} has another length`)
  for (const instant of [day.start, day.start + 1, (day.start + day.end) / 2, day.end - 1])
    if (instant >= day.start && instant < day.end) assert.equal(dayAt(zone, instant).date, date, label)
  return day.end
}

describe('calendar days', () => {
  const days = 730
  it(`agree with ICU in 40 zones over ${days} days, and follow each other without a gap`, () => {
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

  it('are half an hour longer or shorter when Lord Howe shifts', () => {
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

  it('begin at 01:00 where there is no midnight (São Paulo, 2015-10-18)', () => {
    const day = dayOn('America/Sao_Paulo', '2015-10-18')
    assert.equal(new Date(day.start).toISOString(), '2015-10-18T03:00:00.000Z')
    assert.equal((day.end - day.start) / 3_600_000, 23)
    checkDay('America/Sao_Paulo', '2015-10-17')
  })

  it('have length 0 for a date that does not exist, which is not the day of any instant (Apia, 2011-12-30)', () => {
    const missing = dayOn('Pacific/Apia', '2011-12-30')
    assert.equal(missing.start, missing.end)
    assert.equal(dayOn('Pacific/Apia', '2011-12-29').end, dayOn('Pacific/Apia', '2011-12-31').start)
    assert.equal(dayAt('Pacific/Apia', missing.start).date, '2011-12-31')
    assert.equal(dayAt('Pacific/Apia', missing.start - 1).date, '2011-12-29')
  })

  it("do not return to the previous date when a clock is set back over midnight (St. John's, 2010-11-07)", () => {
    const zone = 'America/St_Johns'
    const day = dayOn(zone, '2010-11-07')
    const during = day.start + 30 * 60_000
    assert.equal(icuDate(zone, during), '2010-11-06')
    assert.equal(dayAt(zone, during).date, '2010-11-07')
    assert.equal((day.end - day.start) / 3_600_000, 25)
  })

  it('need the name of an IANA zone', () => {
    assert.equal(parseTimeZone('asia/kolkata'), 'Asia/Kolkata')
    for (const wrong of ['Mars/Olympus', '', '+05:30', 'UTC+5', 5, null, undefined, 'x'.repeat(100)])
      assert.throws(() => parseTimeZone(wrong), { code: 'timezone_invalid' })
  })
})
