import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { noBrowser } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'
import { DEMO_USER } from './support/screens.ts'

describe('the page of a user with a past', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({ command: 'demo' })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  const location = `#/users/${encodeURIComponent(DEMO_USER)}`

  it('shows the range that is dragged on the brush everywhere, and everything again after a click', async () => {
    const { page, violations } = await harness.openDeck(location)
    const brush = page.locator('.brush')
    await brush.locator('.brush__bar').first().waitFor()
    await page
      .getByRole('heading', { name: 'Saturday, 31 October 2026' })
      .or(page.locator('.event').last())
      .first()
      .waitFor()
    const all = await page.locator('.event').count()
    const box = await brush.boundingBox()
    assert.ok(box)
    await page.mouse.move(box.x + box.width * 0.6, box.y + 10)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.95, box.y + 10)
    await page.mouse.up()
    await page.waitForFunction((before) => document.querySelectorAll('.event').length < before, all)
    assert.match(decodeURIComponent(page.url()), /range=2\d{3}-\d\d-\d\dT\d\d:\d\dZ~2\d{3}/)
    await page.reload()
    await page.waitForFunction((before) => {
      const shown = document.querySelectorAll('.event').length
      return shown > 0 && shown < before
    }, all)
    await brush.click({ position: { x: box.width * 0.3, y: 10 } })
    await page.waitForFunction((before) => document.querySelectorAll('.event').length >= before, all)
    assert.doesNotMatch(page.url(), /range=/)
    assert.deepEqual(violations, [])
  })

  it('moves the ends of the range with the keyboard', async () => {
    const { page } = await harness.openDeck(location)
    const start = page.getByRole('slider', { name: 'Start of the range' })
    await start.focus()
    for (let day = 0; day < 10; day++) await page.keyboard.press('ArrowRight')
    await page.waitForFunction(
      () => Number(document.querySelector('[aria-label="Start of the range"]')?.getAttribute('aria-valuenow')) > 20,
    )
    assert.match(page.url(), /range=/)
    await page.keyboard.press('Home')
    await page.waitForFunction(
      () => document.querySelector('[aria-label="Start of the range"]')?.getAttribute('aria-valuenow') === '0',
    )
  })

  it('shows the risk of each day, and the share of equal prefixes and the answers, which can be forgotten', async () => {
    const { page, violations } = await harness.openDeck(location)
    const days = page.getByRole('list', { name: 'Highest risk of each day' }).getByRole('listitem')
    await days.first().waitFor()
    assert.match((await days.last().getAttribute('title')) ?? '', /: high$/)
    await page.getByText(/^\d+ % of [\d,]+ turns?$|^no second turn yet$/).waitFor()
    await page.getByText(/^\d+ answers?, /).waitFor()
    await page.getByRole('button', { name: 'Forget the stored answers' }).click()
    await page.getByText('none stored').waitFor()
    assert.deepEqual(violations, [])
  })

  it('simulates other maxima on the page of limits, with who would be refused', async () => {
    const { page, violations } = await harness.openDeck('#/limits')
    await page.getByLabel('tokens-5h').fill('200')
    await page.getByRole('button', { name: 'Simulate' }).click()
    const table = page.getByRole('table', { name: 'Who would be refused' })
    await table.waitFor()
    await page
      .getByText(/of [\d,]+ turns would be refused/)
      .or(page.getByText('would be refused ('))
      .first()
      .waitFor()
    const refused = await table.getByRole('row').count()
    assert.ok(refused > 5, `${refused} rows`)
    await page.getByLabel('tokens-5h').fill('')
    await page.getByRole('button', { name: 'Simulate' }).click()
    // One user has a limit of their own, which holds without that of the plan.
    await page.waitForFunction(() => document.querySelectorAll('.what-if__result tbody tr').length <= 1)
    await page
      .getByText(/^None of [\d,]+ turns would be refused/)
      .or(page.getByText(/would be refused \(0 %\), of 1 user/))
      .waitFor()
    await page.getByLabel('tokens-5h').fill('-1')
    assert.ok(await page.getByRole('button', { name: 'Simulate' }).isDisabled())
    assert.deepEqual(violations, [])
  })

  it('tests, switches off, deletes and creates webhooks in the settings', async () => {
    const { page, violations } = await harness.openDeck('#/settings')
    const table = page.getByRole('table', { name: 'Webhooks' })
    await table.getByRole('button', { name: /^Test / }).click()
    await page.getByText(/answered with 200/).waitFor()
    await table.getByRole('button', { name: /^Switch off / }).click()
    await table.getByText('switched off').waitFor()
    await table.getByRole('button', { name: /^Switch on / }).click()
    await table.getByText('delivers').waitFor()
    await table.getByRole('button', { name: /^Delete / }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByText('A webhook sends events').waitFor()
    await page.getByRole('button', { name: 'Create a webhook' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Address').fill('http://127.0.0.1:9/hook')
    await dialog.getByLabel('Types of events').fill('risk_change, limit_reached')
    await dialog.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByRole('heading', { name: 'The secret of the webhook' }).waitFor()
    assert.match(await dialog.locator('code').innerText(), /^whsec_/)
    await dialog.getByRole('button', { name: 'Done' }).click()
    await table.getByText('risk_change, limit_reached').waitFor()
    await table.getByRole('button', { name: /^Test / }).click()
    await page.getByText(/did not take the test/).waitFor()
    await page.goto(`${harness.base}/deck/#/audit`)
    await page
      .getByRole('table', { name: 'Changes' })
      .getByText(/webhook/i)
      .first()
      .waitFor()
    assert.deepEqual(violations, [])
  })
})
