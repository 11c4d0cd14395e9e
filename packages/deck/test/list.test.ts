import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { axe } from './browser/axe.ts'
import { noBrowser, openBrowser, openPage } from './browser/chromium.ts'
import { ensureBuilt } from './browser/purser.ts'
import { KEY } from './mock/answers.ts'
import { type Mock, openMock } from './mock/server.ts'

/** What needs many users, or a server that does on demand what a real one does rarely. */
describe('the list of many users', { skip: noBrowser }, () => {
  let browser: Browser
  let mock: Mock

  before(async () => {
    await ensureBuilt()
    browser = await openBrowser()
    mock = await openMock({ users: 120, prefix: '/far/down' })
  })
  after(async () => {
    await browser?.close()
    await mock?.close()
  })

  async function signedIn(address = '') {
    const deck = await openPage(browser, mock.url)
    await deck.page.goto(`${mock.url}${address}`)
    await deck.page.getByLabel('Key').fill(KEY)
    await deck.page.keyboard.press('Enter')
    await deck.page.locator('.header').waitFor()
    return deck
  }

  function chat(user: string): void {
    mock.world.chat(user)
    mock.tell('activity', { users: [user] })
  }

  it('stays in place while it is read, with fresh figures, and says how many wait', async () => {
    const { page, complaints } = await signedIn()
    await page.locator('.user-table__link').nth(20).focus()
    const order = await page.locator('.user-table__link').allTextContents()
    const last = order.at(-1) ?? ''
    const before = mock.world.people.get(last)?.bond.dailyCount ?? 0
    chat('newcomer')
    chat(last)
    await page.getByRole('button', { name: 'Show 1 newer user' }).waitFor()
    await page
      .getByRole('row', { name: last })
      .getByText(String(before + 1))
      .first()
      .waitFor()
    assert.deepEqual(await page.locator('.user-table__link').allTextContents(), order)
    await page.getByRole('button', { name: 'Show 1 newer user' }).click()
    await page.locator('tbody tr').first().getByText(last).waitFor()
    assert.equal(await page.locator('.user-table__link').nth(1).textContent(), 'newcomer')
    assert.deepEqual(complaints, [])
  })

  it('changes figures at once, but places no more often than an eye can follow', async () => {
    const { page } = await openPage(browser, mock.url)
    await page.clock.install()
    await page.goto(mock.url)
    await page.getByLabel('Key').fill(KEY)
    await page.keyboard.press('Enter')
    const names = page.locator('.user-table__link')
    await names.nth(9).waitFor()
    await page.clock.runFor(5_000)
    const [, first = '', second = ''] = (await names.allTextContents()).slice(3)
    chat(first)
    await page.clock.runFor(1_000)
    await names.first().getByText(first, { exact: true }).waitFor()
    const before = mock.world.people.get(second)?.bond.dailyCount ?? 0
    chat(second)
    await page.clock.runFor(1_000)
    await page
      .getByRole('row', { name: second })
      .getByText(String(before + 1))
      .first()
      .waitFor()
    assert.equal(await names.first().textContent(), first)
    await page.clock.runFor(3_000)
    await names.first().getByText(second, { exact: true }).waitFor()
  })

  it('reads everything anew after a gap', async () => {
    const { page } = await signedIn()
    await page.locator('.user-table__link').first().waitFor()
    mock.world.chat('unheard')
    mock.tell('gap', {})
    await page.getByRole('row', { name: /unheard/ }).waitFor()
  })

  it('has its whole state in the address: filters, order and page', async () => {
    const first = await signedIn()
    await first.page.getByLabel('Risk').selectOption('low')
    await first.page.getByLabel('Order').selectOption('Id')
    await first.page.getByRole('button', { name: 'Next' }).click()
    await first.page.getByRole('button', { name: 'First page' }).and(first.page.locator(':enabled')).waitFor()
    const shown = await first.page.locator('.user-table__link').allTextContents()
    const address = first.page.url().slice(mock.url.length)
    assert.match(address, /riskLevel=low/)
    const second = await signedIn(address)
    await second.page.locator('.user-table__link').first().waitFor()
    assert.deepEqual(await second.page.locator('.user-table__link').allTextContents(), shown)
    await first.page.goBack()
    await first.page.getByRole('button', { name: 'First page' }).and(first.page.locator(':disabled')).waitFor()
  })

  it('leaves single keys alone while somebody types, and altogether when they are switched off', async () => {
    const { page } = await signedIn()
    await page.getByRole('searchbox').fill('')
    await page.getByRole('searchbox').press('j')
    assert.equal(await page.getByRole('searchbox').inputValue(), 'j')
    await page.getByRole('searchbox').fill('')
    await page.getByRole('button', { name: /^Menu of/ }).click()
    await page.getByLabel('Single-key shortcuts').uncheck()
    await page.keyboard.press('Escape')
    await page.locator('body').press('?')
    assert.equal(await page.getByRole('dialog').count(), 0)
    await page.getByRole('button', { name: /^Menu of/ }).click()
    await page.getByLabel('Single-key shortcuts').check()
    await page.keyboard.press('Escape')
    await page.locator('body').press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  })

  it('keeps the chosen appearance, against the system', async () => {
    const { page } = await signedIn()
    await page.getByRole('button', { name: /^Menu of/ }).click()
    await page.getByRole('radio', { name: 'Dark' }).check()
    const dark = await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)
    await page.reload()
    await page.locator('.header').waitFor()
    assert.equal(dark, 'dark')
    assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark')
  })

  it('leads from the timeline to the event, by arrow keys too', async () => {
    const { page } = await signedIn('#/users/ada')
    const lane = page.getByRole('list', { name: 'Phase' })
    await lane.getByRole('button').last().focus()
    await page.keyboard.press('ArrowLeft')
    const name = await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')
    assert.match(name, /^Phase \w+, from .+ to .+\.$/)
    await page.keyboard.press('Enter')
    await page.locator('details.event[open]').waitFor()
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'SUMMARY')
  })

  it('goes anywhere by a few letters, and back with Escape', async () => {
    const { page, complaints } = await signedIn()
    await page.getByRole('searchbox').focus()
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Go to' }).fill('marie')
    await page.getByRole('option', { name: 'marie.2@example.org' }).waitFor()
    assert.deepEqual(await axe(page), [])
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Go to' }).fill('marie')
    await page.getByRole('option', { name: 'marie.2@example.org' }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'marie.10@example.org' }).waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Go to' }).fill('risk hi')
    await page.getByRole('option', { name: 'Risk high' }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByLabel('Risk').and(page.locator('.select--active')).waitFor()
    assert.deepEqual(complaints, [])
  })

  it('keeps the way out open when a page cannot be drawn', async () => {
    const { page } = await signedIn()
    const broken = mock.world.chat('broken')
    Object.assign(broken.bond, { peaks: null })
    await page.goto(`${mock.url}#/users/broken`)
    await page.getByRole('alert').getByText('Something went wrong on this page.').waitFor()
    await page.getByRole('link', { name: 'Users', exact: true }).click()
    await page.locator('.user-table__link').first().waitFor()
    mock.world.people.delete('broken')
  })
})
