import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { MOCK_KEY } from './mock/api.ts'
import { runAxe } from './support/axe.ts'
import { NARROW, noBrowser, signIn } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'
import { type MockHarness, openMockHarness } from './support/mock-harness.ts'

const USER_LINK = '.user-table__link'

/** Waits until the list has the rows of its address. */
async function waitForRows(page: Page, address: RegExp): Promise<void> {
  await page.waitForURL(address)
  await page.locator(USER_LINK).first().waitFor()
  await page.locator('.user-table__loading').first().waitFor({ state: 'detached' })
}

describe('users page', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({ dailyCap: 5 })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('shows the first request after sign-in by link, then users as they chat, without a reload', async () => {
    const { page, violations } = await harness.openPage()
    await page.goto(harness.signInLink)
    await page.getByRole('heading', { name: 'No users yet' }).waitFor()
    await page.getByText(`${harness.base}/v1/chat/completions`).waitFor()
    assert.ok(!page.url().includes('token'), 'the token is removed from the URL')
    assert.deepEqual(await runAxe(page), [])

    await page.evaluate(() => Object.assign(globalThis, { isSameDocument: true }))
    const ada = harness.user('ada')
    assert.equal((await ada.chat()).status, 200)
    await page.getByRole('link', { name: 'Users', exact: true }).click()
    const row = page.getByRole('row', { name: /ada/ })
    await row.waitFor()
    await row.getByText('1 / 5').waitFor()
    await ada.chat()
    await row.getByText('2 / 5').waitFor()
    await harness.user('grace').chat()
    await page.getByRole('row', { name: /grace/ }).waitFor()
    await page.getByRole('status').getByText('grace was added to the list.').waitFor({ state: 'attached' })
    assert.equal(await page.evaluate(() => (globalThis as { isSameDocument?: boolean }).isSameDocument), true)
    assert.deepEqual(violations, [])
  })

  it('finds and opens a user with the keyboard alone', async () => {
    const linus = harness.user('linus')
    await linus.chat()
    await linus.chat()
    await harness.user('marie').chat()
    const { page, violations } = await harness.openDeck('#/users')
    await page.getByRole('row', { name: /marie/ }).waitFor()
    await page.locator('body').press('/')
    await page.keyboard.type('li')
    await page.getByRole('row', { name: /marie/ }).waitFor({ state: 'detached' })
    await page.getByRole('searchbox').blur()
    await page.keyboard.press('j')
    await page.locator('.user-table__link:focus').waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('complementary', { name: 'Preview of linus' }).waitFor()
    assert.deepEqual(await runAxe(page), [])
    await page.keyboard.press('o')
    await page.getByRole('heading', { level: 1, name: 'linus' }).waitFor()
    await page.getByRole('meter', { name: 'Used of daily' }).waitFor()
    assert.equal(await page.getByRole('meter').getAttribute('aria-valuetext'), '2 of 5')
    await page.getByText(/^3 left\./).waitFor()
    assert.deepEqual(violations, [])
  })
})

describe('user ids with special characters', { skip: noBrowser }, () => {
  const ids = [
    '__proto__',
    'a/b?c=d#e',
    '100%',
    '%2e%2e',
    '<img src=x onerror=alert(1)>',
    '👩‍🚀 “quoted”',
    'شخص',
    'x'.repeat(256),
  ]
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({ prefix: '/ops/purser' })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('are shown as text and open their page, on a server with a prefix', async () => {
    const { page, violations } = await harness.openPage({ viewport: NARROW })
    for (const id of ids) assert.equal((await harness.user(id).chat()).status, 200, id)
    await page.goto(harness.signInLink)
    await page.getByRole('link', { name: 'Users', exact: true }).click()
    for (const id of ids) {
      await page.getByRole('link', { name: id, exact: true }).click()
      await page.getByRole('heading', { level: 1, name: id, exact: true }).waitFor()
      await page.getByText('No events yet.').waitFor()
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth), false, id)
      await page.goBack()
    }
    assert.deepEqual(await runAxe(page), [])
    assert.deepEqual(violations, [])
  })
})

describe('user list', { skip: noBrowser }, () => {
  let harness: MockHarness

  before(async () => {
    harness = await openMockHarness({ users: 120, prefix: '/far/down' })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  function dailyCountOf(user: string): number {
    return harness.store.users.get(user)?.bond.dailyCount ?? 0
  }

  it('keeps its order while it is read, with fresh counts, and offers to show new users', async () => {
    const { page, violations } = await harness.openDeck()
    await page.locator(USER_LINK).nth(20).focus()
    const order = await page.locator(USER_LINK).allTextContents()
    const last = order.at(-1) ?? ''
    const before = dailyCountOf(last)
    harness.user('newcomer').chat()
    harness.user(last).chat()
    await page.getByRole('button', { name: 'Show 1 new user' }).waitFor()
    await page
      .getByRole('row', { name: last })
      .getByText(String(before + 1))
      .first()
      .waitFor()
    assert.deepEqual(await page.locator(USER_LINK).allTextContents(), order)
    await page.getByRole('button', { name: 'Show 1 new user' }).click()
    await page.locator('[data-index="0"]').getByText(last).waitFor()
    assert.equal(await page.locator(USER_LINK).nth(1).textContent(), 'newcomer')
    assert.deepEqual(violations, [])
  })

  it('updates counts at once, but its order at most every 3 s', async () => {
    const { page } = await harness.openPage()
    await page.clock.install()
    await page.goto(`${harness.url}#/users`)
    await signIn(page, MOCK_KEY)
    const names = page.locator(USER_LINK)
    await names.nth(9).waitFor()
    await page.clock.runFor(5_000)
    const [, first = '', second = ''] = (await names.allTextContents()).slice(3)
    harness.user(first).chat()
    await page.clock.runFor(1_000)
    await names.first().getByText(first, { exact: true }).waitFor()
    const before = dailyCountOf(second)
    harness.user(second).chat()
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

  it('has its filters, order and preview in the URL', async () => {
    const { page } = await harness.openDeck()
    await page.getByRole('combobox', { name: 'Risk' }).selectOption('low')
    await page.getByLabel('Order').selectOption('Id')
    await waitForRows(page, /orderBy=id/)
    await page.locator('[data-index="2"] .user-table__link').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('complementary').waitFor()
    const shown = await page.locator(USER_LINK).allTextContents()
    const location = page.url().slice(harness.url.length)
    assert.match(location, /riskLevel=low/)

    const { page: copy } = await harness.openDeck(location)
    await copy.getByRole('complementary').waitFor()
    await waitForRows(copy, /orderBy=id/)
    assert.deepEqual(await copy.locator(USER_LINK).allTextContents(), shown)
    await copy.keyboard.press('Escape')
    await copy.getByRole('complementary').waitFor({ state: 'detached' })
  })
})

describe('a long user list', { skip: noBrowser }, () => {
  let harness: MockHarness

  before(async () => {
    harness = await openMockHarness({ users: 3_000 })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('has a few rows of all, wherever it is scrolled to, and J continues from there', async () => {
    const { page, violations } = await harness.openDeck('#/users?orderBy=id&order=asc')
    await page.getByText('3,000 users').waitFor()
    const table = page.getByRole('table', { name: 'Users' })
    assert.equal(await table.getAttribute('aria-rowcount'), '3001')
    await page.locator('[data-index="0"] .user-table__link').waitFor()
    assert.ok((await page.locator('.user-table__link').count()) < 80)
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight))
    await page.locator('[data-index="2999"] .user-table__link').waitFor()
    await page.getByText('3,000 of 3,000').waitFor()
    await page.evaluate(() => window.scrollTo(0, 0))
    await page.locator('[data-index="0"] .user-table__link').focus()
    for (let step = 0; step < 5; step++) await page.keyboard.press('j')
    await page.locator('[data-index="5"] .user-table__link:focus').waitFor()
    // Faster than rows are shown, and over the end of the first page of the API.
    await page.evaluate(() => {
      for (let step = 0; step < 100; step++) document.dispatchEvent(new KeyboardEvent('keydown', { key: 'j' }))
    })
    await page.locator('[data-index="105"] .user-table__link:focus').waitFor()
    assert.deepEqual(violations, [])
  })

  it('shows how many users match before it changes all of them', async () => {
    const { page, violations } = await harness.openDeck('#/users?q=marie')
    const matching = [...harness.store.users.keys()].filter((id) => id.includes('marie'))
    await page.getByRole('button', { name: 'Change all…' }).click()
    await page.getByText(`${matching.length} users`, { exact: true }).waitFor()
    assert.deepEqual(await runAxe(page), [])
    await page.getByRole('textbox', { name: 'Reason' }).fill('Shared account')
    await page.getByRole('button', { name: `Change ${matching.length} users` }).click()
    await page.getByText(`${matching.length} users changed.`).waitFor()
    assert.ok(matching.every((id) => harness.store.users.get(id)?.bond.blocked?.reason === 'Shared account'))
    const others = [...harness.store.users.values()].filter(({ bond }) => !bond.user.includes('marie'))
    assert.ok(others.every(({ bond }) => bond.blocked?.reason !== 'Shared account'))
    assert.deepEqual(violations, [])
  })

  it('shows chosen columns and saved views, also after a reload', async () => {
    const { page } = await harness.openDeck('#/users?phase=steady')
    await page.getByRole('button', { name: 'Columns' }).click()
    await page.getByLabel('First seen').check()
    await page.keyboard.press('Escape')
    await page.getByRole('columnheader', { name: 'First seen' }).waitFor()
    await page.getByRole('button', { name: 'Views' }).click()
    assert.deepEqual(await runAxe(page), [])
    await page.getByLabel('Name of the view').fill('Steady ones')
    await page.keyboard.press('Enter')
    await page.reload()
    await page.goto(`${harness.url}#/users`)
    await page.getByRole('columnheader', { name: 'First seen' }).waitFor()
    await page.getByRole('button', { name: 'Views' }).click()
    await page.getByRole('link', { name: 'Steady ones' }).click()
    await page.getByRole('combobox', { name: 'Phase' }).and(page.locator('.select--active')).waitFor()
  })

  it('saves the shown rows as CSV', async () => {
    const { page } = await harness.openDeck('#/users?orderBy=id&order=asc')
    await page.locator(USER_LINK).first().waitFor()
    await page.getByRole('button', { name: 'Export' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Shown rows as CSV' }).click(),
    ])
    const stream = await download.createReadStream()
    const text = (await stream.toArray()).join('')
    const [head, first] = text.split('\r\n')
    assert.match(head ?? '', /^user,blocked,risk,phase/)
    assert.equal(first?.split(',')[0], await page.locator(USER_LINK).first().textContent())
  })
})
