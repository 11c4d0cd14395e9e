import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { runAxe } from './support/axe.ts'
import { noBrowser } from './support/browser.ts'
import { type MockHarness, openMockHarness } from './support/mock-harness.ts'

describe('preferences', { skip: noBrowser }, () => {
  let harness: MockHarness

  before(async () => {
    harness = await openMockHarness({ users: 12 })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('ignores single-key shortcuts while typing, and when they are turned off', async () => {
    const { page } = await harness.openDeck()
    await page.getByRole('searchbox').fill('')
    await page.getByRole('searchbox').press('j')
    assert.equal(await page.getByRole('searchbox').inputValue(), 'j')
    await page.getByRole('searchbox').fill('')
    await page.getByRole('button', { name: /^Account menu/ }).click()
    await page.getByLabel('Single-key shortcuts').uncheck()
    await page.keyboard.press('Escape')
    await page.locator('body').press('?')
    assert.equal(await page.getByRole('dialog').count(), 0)
    await page.getByRole('button', { name: /^Account menu/ }).click()
    await page.getByLabel('Single-key shortcuts').check()
    await page.keyboard.press('Escape')
    await page.locator('body').press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  })

  it('stores the selected theme, which overrides that of the system', async () => {
    const { page } = await harness.openDeck()
    const readColorScheme = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)
    await page.getByRole('button', { name: /^Account menu/ }).click()
    await page.getByRole('radio', { name: 'Dark' }).check()
    assert.equal(await readColorScheme(), 'dark')
    await page.reload()
    await page.getByRole('banner').waitFor()
    assert.equal(await readColorScheme(), 'dark')
  })
})

describe('navigation', { skip: noBrowser }, () => {
  let harness: MockHarness

  before(async () => {
    harness = await openMockHarness({ users: 120 })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('opens users and lists from the command palette, which closes on Escape', async () => {
    const { page, violations } = await harness.openDeck()
    const input = page.getByRole('combobox', { name: 'Go to' })
    await page.getByRole('searchbox').focus()
    await page.keyboard.press('Control+k')
    await input.fill('marie')
    await page.getByRole('option', { name: 'marie.2@example.org' }).waitFor()
    assert.deepEqual(await runAxe(page), [])
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('Control+k')
    await input.fill('marie')
    await page.getByRole('option', { name: 'marie.2@example.org' }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'marie.10@example.org' }).waitFor()
    await page.keyboard.press('Control+k')
    await input.fill('risk hi')
    await page.getByRole('option', { name: 'Risk high' }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('combobox', { name: 'Risk' }).and(page.locator('.select--active')).waitFor()
    assert.deepEqual(violations, [])
  })

  it('redirects the former address of the status page', async () => {
    const { page, violations } = await harness.openDeck('#/status')
    await page.getByRole('heading', { level: 1, name: 'Instances' }).waitFor()
    assert.match(page.url(), /#\/instances$/)
    assert.deepEqual(violations, [])
  })

  it('keeps the navigation working when a page fails to render', async () => {
    const { page } = await harness.openDeck()
    const broken = harness.store.chat('broken')
    Object.assign(broken.bond, { peaks: null })
    await page.goto(`${harness.url}#/users/broken`)
    await page.getByRole('alert').getByText('An unexpected error occurred on this page.').waitFor()
    await page.getByRole('link', { name: 'Users', exact: true }).click()
    await page.locator('.user-table__link').first().waitFor()
    harness.store.users.delete('broken')
  })
})
