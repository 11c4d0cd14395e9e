import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Event } from '../src/api/wire.ts'
import { runAxe } from './support/axe.ts'
import { noBrowser } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'
import { type MockHarness, openMockHarness } from './support/mock-harness.ts'

describe('user page: events and notes', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness()
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('shows events as they happen, with their data', async () => {
    const ada = harness.user('ada')
    await ada.chat()
    const { page, violations } = await harness.openDeck('#/users/ada')
    await page.getByText('No events yet.').waitFor()
    const response = await ada.request('POST', '/detections', {
      phase: 'awakening',
      riskLevel: 'medium',
      archetype: 'explorer',
      confidence: 0.9,
      peaks: { attachment: 0.75 },
    })
    assert.equal(response.status, 200, await response.text())
    const entry = page.locator('details.event', { hasText: 'awakening' })
    await entry.waitFor()
    await entry.locator('summary').click()
    await entry.getByText('"to": "awakening"').waitFor()
    await page.getByRole('definition').filter({ hasText: 'explorer' }).waitFor()
    await page.getByRole('button', { name: /^Phase awakening, from/ }).waitFor()
    await page.getByRole('button', { name: /^Risk medium, from/ }).waitFor()
    assert.deepEqual(violations, [])
  })

  it('saves a note and shows it as text', async () => {
    await harness.user('grace').chat()
    const { page, violations } = await harness.openDeck('#/users/grace')
    await page.getByLabel('New note').fill('Called back <b>today</b>')
    await page.getByRole('button', { name: 'Add note' }).click()
    await page.locator('.note__text', { hasText: 'Called back <b>today</b>' }).waitFor()
    await page.locator('details.event', { hasText: 'Note' }).waitFor()
    await page.getByRole('complementary').getByText('1 note', { exact: true }).waitFor()
    assert.deepEqual(violations, [])
  })
})

describe('user page: cap and block', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({ dailyCap: 5 })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('sets a cap that the gateway enforces, and undoes it', async () => {
    const linus = harness.user('linus')
    for (let turn = 1; turn <= 2; turn++) assert.equal((await linus.chat()).status, 200)
    const { page, violations } = await harness.openDeck('#/users/linus')
    await page.getByText('Change daily cap', { exact: true }).first().click()
    await page.getByLabel('Number of turns a day').fill('2')
    await page.getByRole('textbox', { name: /Reason/ }).fill('Nights')
    await page.keyboard.press('Tab')
    await page.getByRole('button', { name: 'Change the cap' }).click()
    await page.getByText('Limit reached.').waitFor()
    assert.equal((await linus.chat()).status, 429)
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByText(/^3 left\./).waitFor()
    await page.locator('details.event', { hasText: 'Cap' }).nth(1).waitFor()
    assert.equal((await linus.chat()).status, 200)
    await page.getByText(/^2 left\./).waitFor()
    const events = await harness.request('GET', '/users/linus/events')
    const { data } = (await events.json()) as { data: { type: string; reason?: string }[] }
    assert.deepEqual(
      data.map(({ type, reason }) => reason ?? type),
      ['Undone by operator', 'limit_reached', 'Nights'],
    )
    assert.deepEqual(violations, [])
  })

  it('blocks only with a reason, and unblocks', async () => {
    const marie = harness.user('marie')
    await marie.chat()
    const { page, violations } = await harness.openDeck('#/users/marie')
    await page.getByRole('button', { name: 'Block', exact: true }).click()
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Block' })
    assert.equal(await confirm.isDisabled(), true)
    assert.deepEqual(await runAxe(page), [])
    await page.getByRole('textbox', { name: /Reason/ }).fill('Shared account')
    await confirm.click()
    await page.locator('.user-header__block', { hasText: 'Shared account' }).waitFor()
    assert.equal((await marie.chat()).status, 403)
    await page.getByRole('button', { name: 'Unblock' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Unblock' }).click()
    await page.locator('.user-header__block').waitFor({ state: 'detached' })
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    assert.equal((await marie.chat()).status, 200)
    assert.deepEqual(violations, [])
  })
})

describe('user page: corrections, verification, export and erasure', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness()
  })
  after(() => harness?.[Symbol.asyncDispose]())

  async function detectRisk(user: string): Promise<void> {
    const response = await harness
      .user(user)
      .request('POST', '/detections', { phase: 'awakening', riskLevel: 'medium', confidence: 0.9 })
    assert.equal(response.status, 200, await response.text())
  }

  it('closes the correction dialog on Escape with the focus back on its button, and corrects', async () => {
    await detectRisk('ada')
    const { page, violations } = await harness.openDeck('#/users/ada')
    const button = page.getByRole('button', { name: 'Correct' })
    await button.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    assert.equal(await button.evaluate((element) => element === document.activeElement), true)
    await page.keyboard.press('Enter')
    await page.getByRole('combobox', { name: 'Risk' }).fill('low')
    await page.getByRole('textbox', { name: /Reason/ }).fill('Misread')
    await page.getByRole('dialog').getByRole('button', { name: 'Correct' }).click()
    await page.locator('details.event', { hasText: 'Correction' }).waitFor()
    await page.locator('.user-header .state-sentence').getByText('low').waitFor()
    assert.deepEqual(violations, [])
  })

  it('verifies the event log and exports the user', async () => {
    await detectRisk('grace')
    const { page, violations } = await harness.openDeck('#/users/grace')
    await page.getByRole('button', { name: 'More' }).click()
    assert.deepEqual(await runAxe(page), [])
    await page.getByRole('button', { name: 'Verify the event log' }).click()
    await page.getByText(/The event log is intact: \d+ events checked\./).waitFor()
    await page.getByRole('button', { name: 'More' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export all data' }).click(),
    ])
    assert.equal(await download.failure(), null)
    assert.deepEqual(violations, [])
  })

  it('erases only after the id was typed', async () => {
    await harness.user('linus').chat()
    await harness.user('marie').chat()
    const { page, violations } = await harness.openDeck('#/users/linus')
    await page.getByRole('button', { name: 'More' }).click()
    await page.getByRole('button', { name: 'Erase…' }).click()
    const confirm = page.getByRole('button', { name: 'Erase permanently' })
    await page.getByRole('textbox', { name: /Reason/ }).fill('Asked for it')
    await page.getByLabel(/^Type linus/).fill('linu')
    assert.equal(await confirm.isDisabled(), true)
    await page.getByLabel(/^Type linus/).fill('linus')
    await confirm.click()
    await page.getByRole('row', { name: /marie/ }).waitFor()
    await page.getByRole('row', { name: /linus/ }).waitFor({ state: 'detached' })
    await page.goto(`${harness.base}/deck/#/users/linus`)
    await page.getByRole('heading', { name: 'Unknown user' }).waitFor()
    assert.deepEqual(violations, [])
  })
})

describe('timeline', { skip: noBrowser }, () => {
  let harness: MockHarness

  before(async () => {
    harness = await openMockHarness({ users: 1 })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('moves between segments with the arrow keys and opens the event of a segment', async () => {
    const { page, violations } = await harness.openDeck('#/users/ada')
    const track = page.getByRole('list', { name: 'Phase' })
    await track.getByRole('button').last().focus()
    await page.keyboard.press('ArrowLeft')
    const label = await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')
    assert.match(label, /^Phase \w+, from .+ to .+\.$/)
    await page.keyboard.press('Enter')
    await page.locator('details.event[open]').waitFor()
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'SUMMARY')
    assert.deepEqual(violations, [])
  })
})

describe('a range of a long log', { skip: noBrowser }, () => {
  /** More than two pages of events. */
  const CHANGES = 230
  let harness: DeckHarness
  let log: readonly Event[] = []

  before(async () => {
    harness = await openDeckHarness({ dailyCap: 1 })
    const ada = harness.user('ada')
    assert.equal((await ada.chat()).status, 200)
    assert.equal((await ada.request('POST', '/detections', { phase: 'awakening' })).status, 200)
    assert.equal((await ada.chat()).status, 429)
    for (let cap = 2; cap < 2 + CHANGES; cap++)
      assert.equal((await harness.request('PUT', '/users/ada/cap', { body: { cap } })).status, 200)
    assert.equal((await ada.request('POST', '/detections', { phase: 'bonding' })).status, 200)
    const response = await harness.request('GET', '/users/ada/events?limit=1000')
    log = ((await response.json()) as { readonly data: readonly Event[] }).data.toReversed()
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('is read from the server, with the state in which it begins', async () => {
    const [from, to] = [log[40]?.at ?? '', log[60]?.at ?? '']
    const inRange = log.filter(({ at }) => at >= from && at < to)
    assert.ok(inRange.length > 1 && inRange.length < 100)
    const { page, violations } = await harness.openDeck(`#/users/ada?range=${encodeURIComponent(`${from}~${to}`)}`)
    await page.locator(`[data-sequence="${inRange[0]?.sequence}"]`).waitFor()
    const shown = await page
      .locator('[data-sequence]')
      .evaluateAll((entries) => entries.map((entry) => Number(entry.getAttribute('data-sequence'))))
    assert.deepEqual(
      shown.toReversed(),
      inRange.map(({ sequence }) => sequence),
    )
    await page.getByRole('button', { name: /^Phase awakening, since before/ }).waitFor()
    assert.equal(await page.getByRole('button', { name: /^Phase bonding/ }).count(), 0)
    assert.equal(await page.getByRole('button', { name: /^Turns did not pass/ }).count(), 0)
    assert.deepEqual(violations, [])
  })

  it('shows while a limit was reached, until it was raised, and opens its event', async () => {
    const [from, to] = [log[0]?.at ?? '', log[4]?.at ?? '']
    const { page, violations } = await harness.openDeck(`#/users/ada?range=${encodeURIComponent(`${from}~${to}`)}`)
    const period = page.getByRole('button', { name: /^Turns did not pass under daily, from .+ to .+\.$/ })
    await period.focus()
    await page.keyboard.press('Enter')
    await page.locator('details.event[open]', { hasText: 'Limit reached' }).waitFor()
    assert.deepEqual(violations, [])
  })

  it('grows to the change that it begins with, when that is opened', async () => {
    const [from, to] = [log[40]?.at ?? '', log[60]?.at ?? '']
    const { page, violations } = await harness.openDeck(`#/users/ada?range=${encodeURIComponent(`${from}~${to}`)}`)
    await page.getByRole('button', { name: /^Phase awakening, since before/ }).click()
    await page.locator('details.event[open]', { hasText: 'awakening' }).waitFor()
    assert.deepEqual(violations, [])
  })
})

describe('action dialogs', { skip: noBrowser }, () => {
  let harness: MockHarness

  before(async () => {
    harness = await openMockHarness({ users: 1 })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('stay open with the error of a failed request, and open again without it', async () => {
    const { page } = await harness.openDeck('#/users/ada')
    const dialog = page.getByRole('dialog', { name: 'Change daily cap' })
    await page.route('**/api/users/ada/cap', (route) =>
      route.fulfill({ status: 409, json: { error: { code: 'version_conflict', message: 'The user was changed.' } } }),
    )
    await page.getByText('Change daily cap', { exact: true }).first().click()
    await dialog.getByRole('button', { name: 'Change the cap' }).click()
    await dialog.getByRole('alert').getByText('The user was changed.').waitFor()
    assert.equal(await dialog.getByRole('button', { name: 'Change the cap' }).isEnabled(), true)
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.unroute('**/api/users/ada/cap')
    await page.getByText('Change daily cap', { exact: true }).first().click()
    assert.equal(await dialog.getByRole('alert').count(), 0)
    await dialog.getByRole('button', { name: 'Change the cap' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Undo' }).waitFor()
  })
})
