import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { noBrowser } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'

/** Presses Tab until an element with this role and name, of the open dialog if there is one, has the focus. */
async function tabTo(page: Page, role: 'button' | 'link' | 'textbox', name: string | RegExp): Promise<void> {
  const root = (await page.getByRole('dialog').count()) > 0 ? page.getByRole('dialog') : page
  const target = root.getByRole(role, { name }).first()
  await target.waitFor()
  for (let step = 0; step < 80; step++) {
    if (await target.evaluate((element) => element === document.activeElement)) return
    await page.keyboard.press('Tab')
  }
  assert.fail(`Tab does not reach ${role} ${name}.`)
}

describe('the keyboard alone', { skip: noBrowser }, () => {
  let harness: DeckHarness
  let page: Page

  before(async () => {
    harness = await openDeckHarness({ dailyCap: 5 })
    for (const id of ['ada', 'linus']) assert.equal((await harness.user(id).chat()).status, 200)
    await harness.user('ada').request('POST', '/detections', { phase: 'steady', riskLevel: 'high' })
    page = (await harness.openPage()).page
    await page.goto(`${harness.base}/deck/`)
  })
  after(() => harness?.[Symbol.asyncDispose]())

  const openPage = async (name: string): Promise<void> => {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Go to' }).waitFor()
    await page.keyboard.type(name)
    await page
      .getByRole('option', { name: new RegExp(`^${name}`) })
      .first()
      .waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  }

  it('signs in', async () => {
    await tabTo(page, 'textbox', 'Key')
    await page.keyboard.type(harness.adminKey)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /^Needs attention/ }).waitFor()
  })

  it('skips the navigation', async () => {
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main')
  })

  it('reads a chart as a table', async () => {
    await tabTo(page, 'button', 'Table')
    await page.keyboard.press('Enter')
    await page.getByRole('table', { name: /^Users by risk/ }).waitFor()
  })

  it('opens who needs attention', async () => {
    await tabTo(page, 'link', 'ada')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'ada' }).waitFor()
  })

  it('blocks a user with a reason, and undoes it', async () => {
    // Keys act once the user is loaded: its name is shown before.
    await page.getByRole('button', { name: 'Block', exact: true }).waitFor()
    await page.keyboard.press('b')
    await page.getByRole('dialog', { name: 'Block ada?' }).waitFor()
    await tabTo(page, 'textbox', /Reason/)
    await page.keyboard.type('Shared account')
    await tabTo(page, 'button', 'Block')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Unblock', exact: true }).waitFor()
    await tabTo(page, 'button', 'Undo')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Block', exact: true }).waitFor()
  })

  it('sets a cap', async () => {
    await page.keyboard.press('c')
    await page.getByRole('dialog', { name: 'Change daily cap' }).waitFor()
    await tabTo(page, 'textbox', 'Number of turns a day')
    await page.keyboard.press('Control+a')
    await page.keyboard.type('3')
    await page.keyboard.press('Enter')
    await page.getByText('of 3 turns', { exact: true }).waitFor()
  })

  it('opens an event, and another tab', async () => {
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.locator('details.event[open]').waitFor()
    await page.getByRole('tab', { name: 'Events' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.getByRole('table', { name: 'Turns' }).waitFor()
  })

  it('asks why', async () => {
    await tabTo(page, 'button', /^Why/)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /^Answered by/ }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  it('finds a user in the list, and opens the page', async () => {
    await openPage('Users')
    await page.getByRole('table', { name: 'Users' }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('inu')
    await page.getByRole('row', { name: /ada/ }).waitFor({ state: 'detached' })
    await page.keyboard.press('Tab')
    await page.getByRole('combobox', { name: 'Risk' }).waitFor()
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
    await page.keyboard.press('j')
    await page.locator('.user-table__link:focus').waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('complementary', { name: 'Preview of linus' }).waitFor()
    await page.keyboard.press('o')
    await page.getByRole('heading', { level: 1, name: 'linus' }).waitFor()
  })

  it('sees who changed the cap', async () => {
    await openPage('Audit')
    await page
      .getByRole('row', { name: /Daily cap.*ada/ })
      .first()
      .waitFor()
  })

  it('lists the shortcuts, and returns', async () => {
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })
})
